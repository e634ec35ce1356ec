/* The classes an image needs by role: the VM knows them by their index in the class
 * table or by their place in the special objects array. */
#ifndef OSVM_COMPILER_ROLES_H
#define OSVM_COMPILER_ROLES_H

#include "manifest.h"

/* X(role, class table index or 0, special object index or -1, required, "names, best first") */
#define ROLES(X)                                                                     \
    X(UNDEFINED, 0, -1, true, "UndefinedObject")                                     \
    X(FALSE, 0, -1, true, "False")                                                   \
    X(TRUE, 0, -1, true, "True")                                                     \
    X(SMALL_INTEGER, 1, 5, true, "SmallInteger")                                     \
    X(CHARACTER, 2, 19, true, "Character")                                           \
    X(SMALL_FLOAT, 4, -1, false, "SmallFloat64")                                     \
    X(LARGE_NEGATIVE, 32, 42, true, "LargeNegativeInteger")                          \
    X(LARGE_POSITIVE, 33, 13, true, "LargePositiveInteger")                          \
    X(FLOAT, 34, 9, true, "BoxedFloat64 Float")                                      \
    X(MESSAGE, 35, 15, true, "Message")                                              \
    X(CONTEXT, 36, 10, true, "Context MethodContext")                                \
    X(BLOCK_CLOSURE, 37, 36, true, "BlockClosure")                                   \
    X(FULL_BLOCK_CLOSURE, 38, 37, false, "FullBlockClosure")                         \
    X(SEMAPHORE, 48, 18, true, "Semaphore")                                          \
    X(BYTE_ARRAY, 50, 26, true, "ByteArray")                                         \
    X(ARRAY, 51, 7, true, "Array")                                                   \
    X(STRING, 52, 6, true, "ByteString String")                                      \
    X(BITMAP, 53, 4, false, "Bitmap")                                                \
    X(POINT, 54, 12, true, "Point")                                                  \
    X(COMPILED_METHOD, 0, 16, true, "CompiledMethod")                                \
    X(COMPILED_BLOCK, 0, -1, false, "CompiledBlock")                                 \
    X(PROCESS, 0, 27, true, "Process")                                               \
    X(SCHEDULER, 0, -1, true, "ProcessorScheduler")                                  \
    X(LINKED_LIST, 0, -1, true, "ProcessList LinkedList")                            \
    X(ASSOCIATION, 0, -1, true, "Association")                                       \
    X(METHOD_DICTIONARY, 0, -1, true, "MethodDictionary")                            \
    X(CLASS, 0, -1, true, "Class")                                                   \
    X(METACLASS, 0, -1, true, "Metaclass")                                           \
    X(SYMBOL, 0, -1, true, "ByteSymbol Symbol")                                      \
    X(WIDE_STRING, 0, -1, false, "WideString")                                       \
    X(WIDE_SYMBOL, 0, -1, false, "WideSymbol")                                       \
    X(DICTIONARY, 0, -1, false, "SystemDictionary Dictionary")                       \
    X(CLASS_POOL, 0, -1, false, "Dictionary")                                        \
    X(SCALED_DECIMAL, 0, -1, false, "ScaledDecimal")                                 \
    X(FRACTION, 0, -1, false, "Fraction")                                            \
    X(METHOD_STATE, 0, -1, false, "AdditionalMethodState")                           \
    X(PRAGMA, 0, -1, false, "Pragma")                                                \
    X(DOUBLE_BYTE_ARRAY, 0, 31, false, "DoubleByteArray")                            \
    X(WORD_ARRAY, 0, 32, false, "WordArray")                                         \
    X(DOUBLE_WORD_ARRAY, 0, 33, false, "DoubleWordArray")                            \
    X(EXTERNAL_ADDRESS, 0, 43, false, "ExternalAddress")                             \
    X(EXTERNAL_STRUCTURE, 0, 44, false, "ExternalStructure")                         \
    X(EXTERNAL_DATA, 0, 45, false, "ExternalData")                                   \
    X(EXTERNAL_FUNCTION, 0, 46, false, "ExternalFunction")                           \
    X(EXTERNAL_LIBRARY, 0, 47, false, "ExternalLibrary")                             \
    X(EXTERNAL_LIBRARY_FUNCTION, 0, -1, false, "ExternalLibraryFunction")            \
    X(EXTERNAL_TYPE, 0, -1, false, "ExternalType")                                   \
    X(ALIEN, 0, 52, false, "Alien")                                                  \
    X(UNSAFE_ALIEN, 0, 54, false, "UnsafeAlien")

#define ROLE_NAME(role, index, special, required, names) ROLE_##role,
typedef enum { ROLES(ROLE_NAME) ROLE_COUNT } Role;
#undef ROLE_NAME

typedef struct {
    const char *name;    /* "SMALL_INTEGER" as manifests write it: in lower case, small_integer */
    unsigned index;      /* in the class table; 0: any */
    int special;         /* in the special objects array; -1: not there */
    bool required;
    const char *classes; /* names to try */
} RoleInfo;

extern const RoleInfo role_infos[ROLE_COUNT];

/* Finds the classes; reports required ones that are missing. Names in the manifest (NULL: there is
 * none) go before the usual ones. */
bool roles_find(Program *program, const Manifest *manifest, ClassModel *classes[ROLE_COUNT]);

#endif
