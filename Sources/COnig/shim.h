// Oniguruma, with functions for its macros and variadic functions, which Swift cannot import.
#include <oniguruma.h>

static inline OnigEncoding encoderd_onig_utf32(void) { return ONIG_ENCODING_UTF32_LE; }
static inline OnigSyntaxType *encoderd_onig_syntax(void) { return ONIG_SYNTAX_DEFAULT; }
static inline int encoderd_onig_error_length(void) { return ONIG_MAX_ERROR_MESSAGE_LEN; }
static inline int encoderd_onig_error(OnigUChar *out, int code, OnigErrorInfo *info) {
    return onig_error_code_to_str(out, code, info);
}
