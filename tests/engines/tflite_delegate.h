/* What a TFLite delegate needs of TFLite's C API, for 64-bit Linux.
 *
 * Names are shortened; the comments give those of the API. Order and types of the members are the interface, and
 * what is not used here is kept for its place. Source: google-ai-edge/LiteRT, tflite/core/c/common.h and
 * c_api_types.h ("semi-ABI stable", new members only at the end), as ai-edge-litert 2.x is built from, and
 * tensorflow/lite/delegates/external/external_delegate_interface.h for the two symbols of a plug-in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OK = 0, ERROR = 1 };                      /* TfLiteStatus */
enum { FLOAT32 = 1, UINT8 = 3, INT8 = 9 };       /* TfLiteType */
enum { ARENA = 2, PERSISTENT_ARENA = 3 };        /* TfLiteAllocationType */
enum { DEPTHWISE_CONV_2D = 4, MUL = 18, CUSTOM = 32, DELEGATE = 51 }; /* built-in codes of the schema */
enum { ALLOW_DYNAMIC_TENSORS = 1 };              /* TfLiteDelegateFlags */

typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct { int size; int data[]; } IntArray;

typedef struct {                                 /* TfLiteTensor */
    int type;
    void *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    Delegate *delegate;
    int buffer_handle;
    bool data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;

typedef struct {                                 /* TfLiteNode */
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
    const void *custom_initial_data;
    int custom_initial_data_size;
    Delegate *delegate;
    bool might_have_side_effect;
} Node;

typedef struct {                                 /* TfLiteRegistration */
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *registration_external;
    void *(*async_kernel)(Context *, Node *);
    uint64_t inplace_operator;
} Registration;

struct Context {                                 /* TfLiteContext, as far as it is used */
    size_t tensors_size;
    int (*GetExecutionPlan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*ResizeTensor)(Context *, Tensor *, IntArray *);
    void (*ReportError)(Context *, const char *, ...);
    int (*AddTensors)(Context *, int, int *);
    int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
    int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
};

typedef struct {                                 /* TfLiteDelegateParams */
    Delegate *delegate;
    IntArray *nodes, *inputs, *outputs;
} Parameters;

struct Delegate {                                /* TfLiteDelegate */
    void *data;
    int (*Prepare)(Context *, Delegate *);
    int (*CopyFromBufferHandle)(Context *, Delegate *, int, Tensor *);
    int (*CopyToBufferHandle)(Context *, Delegate *, int, Tensor *);
    void (*FreeBufferHandle)(Context *, Delegate *, int *);
    int64_t flags;
    void *opaque_delegate_builder;
};

/* the plug-in */
Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *));
void tflite_plugin_destroy_delegate(Delegate *delegate);
