#include "CResources.h"

static const unsigned char openapi[] = {
#embed "openapi.json"
};

static const unsigned char page[] = {
#embed "page.html"
};

struct embedded_file embedded_openapi(void) { return (struct embedded_file){openapi, sizeof openapi}; }

struct embedded_file embedded_page(void) { return (struct embedded_file){page, sizeof page}; }
