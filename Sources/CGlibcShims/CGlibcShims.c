#define _GNU_SOURCE
#include "CGlibcShims.h"

#include <fcntl.h>
#include <stdio.h>

int carillon_fallocate_keeping_size(int descriptor, off_t offset, off_t length) {
  return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, length);
}

int carillon_rename_without_replacing(const char *path, const char *target) {
  return renameat2(AT_FDCWD, path, AT_FDCWD, target, RENAME_NOREPLACE);
}
