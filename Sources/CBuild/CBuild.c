#include "CBuild.h"

// Package.swift defines it from the environment variable of the same name, which the Makefile sets.
#ifndef ENCODERD_COMMIT
#define ENCODERD_COMMIT ""
#endif

const char *encoderd_commit(void) { return ENCODERD_COMMIT; }
