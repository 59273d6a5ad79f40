#ifndef ENCODERD_CBUILD_H
#define ENCODERD_CBUILD_H

/// The abbreviated commit that the binary is built from; empty if the build did not know it.
const char *_Nonnull encoderd_commit(void);

#endif
