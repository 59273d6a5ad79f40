#ifndef ENCODERD_CRESOURCES_H
#define ENCODERD_CRESOURCES_H

#include <stddef.h>

/// The version of this release. `info.version` of openapi.json repeats it; a test compares the two.
#define ENCODERD_VERSION "0.1.0"

/// A file that is part of the binary.
struct embedded_file {
    const unsigned char *_Nonnull bytes;
    /// The size in bytes.
    size_t count;
};

/// The OpenAPI document: openapi.json.
struct embedded_file embedded_openapi(void);

/// The page that GET / answers: page.html.
struct embedded_file embedded_page(void);

#endif
