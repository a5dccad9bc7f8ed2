#define _GNU_SOURCE
#include "CGlibcShims.h"

#include <fcntl.h>

int carillon_fallocate_keeping_size(int descriptor, off_t offset, off_t length) {
  return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, length);
}
