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

void carillon_begin_writing(int descriptor, off_t offset, off_t length) {
  sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}

void carillon_finish_writing(int descriptor, off_t offset, off_t length) {
  sync_file_range(descriptor, offset, length,
                  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}
