#define _GNU_SOURCE
#include "CSystem.h"

int encoderd_accept4(int fd, int flags) { return accept4(fd, 0, 0, flags); }
