#include "tools/capos/run.h"
const char *compile(const char *source) { fail(2,"%s: todo", source); }
