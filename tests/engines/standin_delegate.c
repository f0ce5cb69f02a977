/* A stand-in for the delegate library of an accelerator, for tests on machines that have none.
 *
 * It is a TFLite external delegate like libedgetpu.so.1 or libarmnnDelegate.so: the interpreter loads it through
 * tflite_plugin_create_delegate, hands it the graph, and from then on calls it instead of its own kernels. It
 * computes what it takes with the kernels it took it from, so that its results are right by construction, and
 * fails in the ways that accelerators fail in, when an option asks for it:
 *
 *   mode = accept           right results
 *          refuse[:TEXT]    the delegate is not created; libedgetpu gives no text
 *          unprepared       the graph cannot be prepared, as with a library built for another TensorFlow
 *          crash-on-load    SIGSEGV while the graph is handed over, the other face of the same mistake
 *          hang-on-load     the same call never returns
 *          abort[-after:N]  SIGABRT in the call after N good ones (N = 0): the stick was pulled out
 *          hang[-after:N]   that call never returns: the bus stalled
 *          wrong[-after:N]  that call and all later ones give other numbers, without an error
 *          nan[-after:N]    NaN in outputs of floating point, the largest code in integer ones
 *          error[-after:N]  that call and all later ones return an error
 *          slow:MS          each call takes MS milliseconds longer
 *   only = any              take all operators
 *          CODE             take those of this built-in code of the schema (3 is CONV_2D)
 *          without it       all but DEPTHWISE_CONV_2D and MUL: the package's own kernels round these otherwise
 *                           than XNNPACK, and the default bundle would leave its tolerance
 *
 * Operators named edgetpu-custom-op are taken too; their output is a copy of their input.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tflite_delegate.h"

enum { ANY = -1, USUAL = -2 };

typedef struct {
    Delegate interface;
    char mode[64];                               /* without -after:N or :MS */
    long number;                                 /* N or MS */
    int only;                                    /* built-in code, USUAL or ANY */
    long calls, parts;
} Standin;

typedef struct { int tensor; size_t bytes; void *data; } Scratch;

typedef struct {                                 /* operators that are replaced by one call of the delegate */
    Standin *standin;
    bool first;                                  /* of the graph: it counts the calls */
    IntArray *outputs;                           /* tensors that others read */
    int count;
    Scratch *scratch;                            /* of the kernels */
    int scratches;
    struct { Node node; Registration kernel; } taken[];
} Part;

static IntArray *copy_of(const IntArray *given) {
    size_t bytes = sizeof(IntArray) + (given ? given->size : 0) * sizeof(int);
    IntArray *copy = calloc(1, bytes);
    if (given) memcpy(copy, given, bytes);
    return copy;
}

static bool contains(const IntArray *array, int value) {
    for (int i = 0; i < array->size; i++)
        if (array->data[i] == value) return true;
    return false;
}

static bool is(const Standin *standin, const char *mode) { return strcmp(standin->mode, mode) == 0; }

static void hang(void) { for (;;) pause(); }

static int copy_input(Context *context, Node *node) {
    Tensor *from = &context->tensors[node->inputs->data[0]], *to = &context->tensors[node->outputs->data[0]];
    memcpy(to->data, from->data, to->bytes);
    return OK;
}

/* Remember the operators of a part. Nodes move when others are added, so copies are kept; their temporaries are
 * the stand-in's own, as kernels replace them. */
static void *part_init(Context *context, const char *buffer, size_t length) {
    const Parameters *given = (const Parameters *)buffer;
    (void)length;
    Part *part = calloc(1, sizeof(Part) + given->nodes->size * sizeof(part->taken[0]));
    part->standin = (Standin *)given->delegate;
    part->first = part->standin->parts++ == 0;
    part->outputs = copy_of(given->outputs);
    part->count = given->nodes->size;
    for (int i = 0; i < part->count; i++) {
        Node *node;
        Registration *kernel;
        context->GetNodeAndRegistration(context, given->nodes->data[i], &node, &kernel);
        part->taken[i].node = *node;
        part->taken[i].node.temporaries = copy_of(node->temporaries);
        part->taken[i].kernel = *kernel;
        if (kernel->builtin_code == CUSTOM) {
            part->taken[i].kernel.prepare = NULL;
            part->taken[i].kernel.invoke = copy_input;
        }
    }
    return part;
}

static void free_scratch(Part *part) {
    for (int i = 0; i < part->scratches; i++) free(part->scratch[i].data);
    free(part->scratch);
    part->scratches = 0;
}

static void part_free(Context *context, void *buffer) {
    Part *part = buffer;
    (void)context;
    free_scratch(part);
    for (int i = 0; i < part->count; i++) free(part->taken[i].node.temporaries);
    free(part->outputs);
    free(part);
}

/* Prepare the kernels. The interpreter gives memory to what passes between them, as to temporary tensors of this
 * node; those of the kernels themselves lose their sizes in its plan of the memory, so they get memory here. */
static int part_prepare(Context *context, Node *node) {
    Part *part = node->user_data;
    int between = 0, scratches = 0;
    if (is(part->standin, "unprepared")) {
        context->ReportError(context, "Unsupported data type in custom op handler: 0");
        return ERROR;
    }
    for (int i = 0; i < part->count; i++) {
        const Registration *kernel = &part->taken[i].kernel;
        Node *taken = &part->taken[i].node;
        if (kernel->prepare && kernel->prepare(context, taken) != OK) return ERROR;
        between += taken->outputs->size;
        scratches += taken->temporaries->size;
    }
    free_scratch(part);
    part->scratch = calloc(scratches + 1, sizeof(Scratch));
    free(node->temporaries);
    node->temporaries = calloc(1, sizeof(IntArray) + between * sizeof(int));
    for (int i = 0; i < part->count; i++) {
        const IntArray *outputs = part->taken[i].node.outputs, *own = part->taken[i].node.temporaries;
        for (int j = 0; j < outputs->size; j++)
            if (!contains(part->outputs, outputs->data[j]))
                node->temporaries->data[node->temporaries->size++] = outputs->data[j];
        for (int j = 0; j < own->size; j++) {
            const Tensor *tensor = &context->tensors[own->data[j]];
            if (tensor->allocation_type != ARENA && tensor->allocation_type != PERSISTENT_ARENA) continue;
            part->scratch[part->scratches++] =
                (Scratch){own->data[j], tensor->bytes, aligned_alloc(64, (tensor->bytes / 64 + 1) * 64)};
        }
    }
    return OK;
}

static void spoil(Tensor *tensor, bool nan) {
    if (tensor->type == FLOAT32) {
        float *values = tensor->data;
        for (size_t i = 0; i < tensor->bytes / sizeof(float); i++) values[i] = nan ? NAN : 1.0f - values[i];
    } else {
        uint8_t *codes = tensor->data;
        for (size_t i = 0; i < tensor->bytes; i++)
            codes[i] = !nan ? (uint8_t)~codes[i] : tensor->type == INT8 ? INT8_MAX : UINT8_MAX;
    }
}

static int part_invoke(Context *context, Node *node) {
    Part *part = node->user_data;
    Standin *standin = part->standin;
    if (part->first) standin->calls++;
    bool now = standin->calls > standin->number;
    if (is(standin, "slow")) {
        struct timespec pause = {standin->number / 1000, standin->number % 1000 * 1000000};
        nanosleep(&pause, NULL);
    } else if (is(standin, "abort") && now) {
        fputs("standin_delegate: transfer in failed: the device is gone\n", stderr);
        abort();
    } else if (is(standin, "hang") && now) {
        hang();
    } else if (is(standin, "error") && now) {
        context->ReportError(context, "standin_delegate: the device does not answer");
        return ERROR;
    }
    for (int i = 0; i < part->scratches; i++) {
        context->tensors[part->scratch[i].tensor].data = part->scratch[i].data;
        context->tensors[part->scratch[i].tensor].bytes = part->scratch[i].bytes;
    }
    for (int i = 0; i < part->count; i++)
        if (part->taken[i].kernel.invoke(context, &part->taken[i].node) != OK) return ERROR;
    if ((is(standin, "wrong") || is(standin, "nan")) && now)
        for (int i = 0; i < part->outputs->size; i++)
            spoil(&context->tensors[part->outputs->data[i]], is(standin, "nan"));
    return OK;
}

static bool takes(const Standin *standin, const Registration *kernel) {
    if (kernel->builtin_code == CUSTOM)
        return kernel->custom_name && strcmp(kernel->custom_name, "edgetpu-custom-op") == 0;
    if (kernel->registration_external || kernel->builtin_code == DELEGATE) return false;
    if (standin->only == USUAL) return kernel->builtin_code != MUL && kernel->builtin_code != DEPTHWISE_CONV_2D;
    return standin->only == ANY || standin->only == kernel->builtin_code;
}

static int take_over(Context *context, Delegate *delegate) {
    const Standin *standin = (const Standin *)delegate;
    IntArray *plan;
    if (is(standin, "crash-on-load")) *(volatile int *)NULL = 1;
    if (is(standin, "hang-on-load")) hang();
    if (context->GetExecutionPlan(context, &plan) != OK) return ERROR;
    IntArray *order = copy_of(plan), *wanted = copy_of(plan);
    wanted->size = 0;
    for (int i = 0; i < order->size; i++) {
        Node *node;
        Registration *kernel;
        if (context->GetNodeAndRegistration(context, order->data[i], &node, &kernel) != OK) return ERROR;
        if (takes(standin, kernel)) wanted->data[wanted->size++] = order->data[i];
    }
    Registration own = {.init = part_init, .free = part_free, .prepare = part_prepare, .invoke = part_invoke};
    own.builtin_code = DELEGATE;
    own.custom_name = "StandinDelegate";
    own.version = 1;
    int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, own, wanted, delegate);
    free(order);
    free(wanted);
    return status;
}

static const char *const MODES[] = {"accept", "unprepared", "crash-on-load", "hang-on-load", "abort", "hang",
                                    "wrong",  "nan",        "error",         "slow",         NULL};

static bool set_mode(Standin *standin, const char *value) {
    const char *colon = strchr(value, ':');
    size_t length = colon ? (size_t)(colon - value) : strlen(value);
    if (colon && length > 6 && strncmp(colon - 6, "-after", 6) == 0) length -= 6;
    if (length >= sizeof(standin->mode)) return false;
    memcpy(standin->mode, value, length);
    standin->mode[length] = 0;
    standin->number = colon ? atol(colon + 1) : 0;
    for (int i = 0; MODES[i]; i++)
        if (is(standin, MODES[i])) return true;
    return false;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    Standin *standin = calloc(1, sizeof(Standin));
    standin->only = USUAL;
    strcpy(standin->mode, "accept");
    for (size_t i = 0; i < count; i++) {
        bool mode = strcmp(keys[i], "mode") == 0;
        if (mode && strncmp(values[i], "refuse", 6) == 0) {
            if (values[i][6] == ':' && report) report(values[i] + 7);
            free(standin);
            return NULL;
        }
        if (strcmp(keys[i], "only") == 0) standin->only = strcmp(values[i], "any") ? atoi(values[i]) : ANY;
        else if (!mode || !set_mode(standin, values[i])) {
            if (report) report(mode ? "unknown mode" : "unknown option");
            free(standin);
            return NULL;
        }
    }
    standin->interface.Prepare = take_over;
    standin->interface.flags = ALLOW_DYNAMIC_TENSORS; /* else all is prepared first, and edgetpu-custom-op cannot be */
    return &standin->interface;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
