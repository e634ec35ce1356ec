/* What a process says when it breaks a rule (osvm/check.h) and dies of that. */
#ifndef OSVM_T_CONFESSION_H
#define OSVM_T_CONFESSION_H

/* Runs `crime` in a child. Answers what that wrote to standard error before it aborted, in a static
 * buffer, or that it did not abort. */
const char *confession(void (*crime)(void *context), void *context);

#endif
