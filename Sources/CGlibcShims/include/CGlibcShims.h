/* Glibc shows Swift none of what is Linux's own. */
#ifndef CARILLON_CGLIBC_SHIMS_H
#define CARILLON_CGLIBC_SHIMS_H
#include <sys/types.h>

/* fallocate(2) that leaves the file as long as it is. */
int carillon_fallocate_keeping_size(int descriptor, off_t offset, off_t length);

/* rename(2) that fails with EEXIST where there is something of the new name. */
int carillon_rename_without_replacing(const char *path, const char *target);

/* sync_file_range(2): has the disk begin to write a part of a file. What fails, fsync(2) tells. */
void carillon_begin_writing(int descriptor, off_t offset, off_t length);

/* sync_file_range(2): waits until a part of a file is written. */
void carillon_finish_writing(int descriptor, off_t offset, off_t length);
#endif
