// A CUDA driver, cuBLAS and NVRTC in name: the calls that the backend `cuda` makes, carried out on the processor, so that
// its order of arguments, products, kernels and graphs are tested where there is no GPU. Says nothing of speed, of races
// between blocks, or of a real driver's temper.
//
//   g++ -O1 -shared -fPIC -o DIR/libcuda.so tests/cuda_emulator/emulator.cpp -ldl
//   ln -s libcuda.so DIR/libcublas.so; ln -s libcuda.so DIR/libnvrtc.so
//   LD_LIBRARY_PATH=DIR cargo test --features cuda --lib -- --ignored cuda::tests::it_agrees
//
// Kernels are compiled by g++ (x86-64, Linux). The threads of a block run one after the other, from one
// __syncthreads() to the next, first to last in one launch and last to first in the next: what depends on the order
// shows. __shared__ arrays are static, because blocks run one after the other too; memory of a size given at launch
// holds NaN when a block begins, and what lies behind it may not change.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <regex>
#include <string>
#include <unistd.h>
#include <vector>

typedef unsigned long long Place;
enum { OK = 0, INVALID = 1, NOT_FOUND = 500 };

// What kernels see, by the names of CUDA.
struct Dim { unsigned x, y, z; };
struct Thread { Dim thread, block, grid, size; void (*wait)(); void *room; };
static Thread running;

static const char *HEAD = R"(
#include <cmath>
#include <cstddef>
using std::cos; using std::exp; using std::expm1; using std::log; using std::log1p; using std::sin; using std::sqrt;
struct Dim { unsigned x, y, z; };
struct Thread { Dim thread, block, grid, size; void (*wait)(); void *room; };
static Thread *running;
extern "C" void emulator_begin(Thread *thread) { running = thread; }
#define threadIdx running->thread
#define blockIdx running->block
#define gridDim running->grid
#define blockDim running->size
#define __global__
#define __device__
#define __noinline__
#define __shared__ static
static void __syncthreads() { running->wait(); }
template <class V> static V __shfl_xor_sync(unsigned, V value, unsigned mask) {
  static V values[1024];
  values[threadIdx.x] = value;
  running->wait();
  V other = values[threadIdx.x ^ mask];
  running->wait();
  return other;
}
)";

// Fibres: a stack for each thread of a block, and a switch that keeps the registers a call has to keep.
extern "C" void emulator_switch(void **from, void *to);
asm(R"(
.globl emulator_switch
.hidden emulator_switch
emulator_switch:
  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
  ret
)");
static const unsigned MOST_THREADS = 1024;
static const size_t STACK = 32768, MOST_ROOM = 232448;
static void *fibre[MOST_THREADS], *scheduler;
static bool done[MOST_THREADS];
static unsigned current;
static void (*kernel)(void **);
static void **arguments;
static void wait_for_others() { emulator_switch(&fibre[current], scheduler); }
static void enter() {
  kernel(arguments);
  done[current] = true;
  wait_for_others();
}
static unsigned order = 1; // another one whenever threads meet, so that the same work done again is done in another
static void run_block() {
  static char *stacks = (char *)aligned_alloc(64, MOST_THREADS * STACK);
  unsigned threads = running.size.x;
  for (unsigned t = 0; t < threads; t++) {
    void **top = (void **)(stacks + (t + 1) * STACK - 64);
    *--top = 0;
    *--top = (void *)enter;
    fibre[t] = memset(top - 6, 0, 6 * sizeof(void *));
    done[t] = false;
  }
  for (bool left = true; left;) {
    left = false;
    order = 1664525 * order + 1013904223;
    bool backwards = order >> 31;
    for (unsigned t = 0; t < threads; t++) {
      current = backwards ? threads - 1 - t : t;
      if (done[current]) continue;
      running.thread = {current, 0, 0};
      emulator_switch(&scheduler, fibre[current]);
      left = left || !done[current];
    }
  }
}

// Work is done at once, or recorded by the thread that asked for it.
typedef std::vector<std::function<void()>> Graph;
static thread_local Graph *recording;
static void submit(std::function<void()> work) {
  if (recording) recording->push_back(work);
  else work();
}

extern "C" {
// The driver: one device of compute capability 9.0 without memory pools.
int cuInit(unsigned) { return OK; }
int cuDeviceGetCount(int *count) { return *count = 1, OK; }
int cuDeviceGet(int *device, int) { return *device = 0, OK; }
int cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "emulator"), OK; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  return *value = attribute == 75 ? 9 : attribute == 97 ? (int)MOST_ROOM : 0, OK;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &running, OK; }
int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
int cuCtxSetCurrent(void *) { return OK; }
int cuCtxGetCurrent(void **context) { return *context = &running, OK; }
int cuCtxSynchronize() { return OK; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { return *free = *total = size_t(1) << 30, OK; }
int cuMemAlloc_v2(Place *place, size_t bytes) { return *place = (Place)malloc(bytes), OK; }
int cuMemFree_v2(Place place) { return free((void *)place), OK; }
int cuMemsetD8Async(Place to, unsigned char value, size_t bytes, void *) { return memset((void *)to, value, bytes), OK; }
int cuMemcpyHtoDAsync_v2(Place to, const void *from, size_t bytes, void *) { return memcpy((void *)to, from, bytes), OK; }
int cuMemcpyDtoHAsync_v2(void *to, Place from, size_t bytes, void *) { return memcpy(to, (void *)from, bytes), OK; }
int cuStreamCreate(void **stream, unsigned) { return *stream = &running, OK; }
int cuStreamDestroy_v2(void *) { return OK; }
int cuStreamSynchronize(void *) { return OK; }
int cuGetErrorName(int, const char **name) { return *name = "EMULATED", OK; }
int cuGetErrorString(int, const char **text) { return *text = "an error of the emulator", OK; }
int cuStreamBeginCapture_v2(void *, int) { return recording = new Graph, OK; }
int cuStreamEndCapture(void *, void **graph) { return *graph = recording, recording = nullptr, OK; }
int cuGraphInstantiateWithFlags(void **executable, void *graph, Place) { return *executable = graph, OK; }
int cuGraphLaunch(void *graph, void *) {
  for (auto &work : *(Graph *)graph) work();
  return OK;
}
int cuGraphExecDestroy(void *) { return OK; }
int cuGraphDestroy(void *graph) { return delete (Graph *)graph, OK; }

// A module is a shared object, its text the path; a function there has a wrapper and the sizes of its arguments.
int cuModuleLoadData(void **module, const void *path) {
  *module = dlopen((const char *)path, RTLD_NOW | RTLD_LOCAL);
  remove((const char *)path);
  if (!*module) return INVALID;
  ((void (*)(Thread *))dlsym(*module, "emulator_begin"))(&running);
  return OK;
}
int cuModuleUnload(void *) { return OK; }
struct Function { void (*call)(void **); const size_t *sizes; size_t room; };
int cuModuleGetFunction(void **function, void *module, const char *name) {
  auto symbol = [&](std::string prefix) { return dlsym(module, (prefix + name).c_str()); };
  *function = new Function{(void (*)(void **))symbol("call_"), (const size_t *)symbol("sizes_"), 49152};
  return symbol("call_") ? OK : NOT_FOUND;
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
  if (attribute != 8 || value < 0 || value > (int)MOST_ROOM) return INVALID;
  return ((Function *)function)->room = value, OK;
}
int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                   unsigned threads_z, unsigned bytes, void *, void **given, void **) {
  Function f = *(Function *)function;
  if (!x || !y || z != 1 || !threads || threads % 32 || threads > MOST_THREADS || threads_y != 1 || threads_z != 1 ||
      bytes > f.room)
    return INVALID;
  std::vector<std::vector<char>> copies;
  for (const size_t *size = f.sizes; *size; size++) {
    const char *argument = (const char *)given[copies.size()];
    copies.emplace_back(argument, argument + *size);
  }
  submit([=]() mutable {
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> alone(one_at_a_time);
    std::vector<void *> places;
    for (auto &copy : copies) places.push_back(copy.data());
    kernel = f.call;
    arguments = places.data();
    std::vector<double> room(bytes / sizeof(double) + 65);
    running = {{}, {}, {x, y, 1}, {threads, 1, 1}, wait_for_others, room.data()};
    for (unsigned j = 0; j < y; j++)
      for (unsigned i = 0; i < x; i++) {
        memset(room.data(), 0xff, room.size() * sizeof(double));
        running.block = {i, j, 0};
        run_block();
        for (size_t k = bytes; k < room.size() * sizeof(double); k++)
          if (((unsigned char *)room.data())[k] != 0xff) fprintf(stderr, "emulator: shared memory overrun\n"), abort();
      }
  });
  return OK;
}

// cuBLAS, with its checks of leading dimensions.
int cublasCreate_v2(void **handle) { return *handle = &running, OK; }
int cublasDestroy_v2(void *) { return OK; }
int cublasSetStream_v2(void *, void *) { return OK; }
int cublasSetWorkspace_v2(void *, void *, size_t) { return OK; }
}
template <class T>
static int multiply(int ta, int tb, int m, int n, int k, const T *alpha_, const T *a, int lda, const T *b, int ldb,
                    const T *beta_, T *c, int ldc) {
  if (m < 1 || n < 1 || k < 1 || lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return 7;
  T alpha = *alpha_, beta = *beta_;
  submit([=] {
    for (long j = 0; j < n; j++)
      for (long i = 0; i < m; i++) {
        T sum = 0;
        for (long q = 0; q < k; q++) sum += (ta ? a[q + i * lda] : a[i + q * lda]) * (tb ? b[j + q * ldb] : b[q + j * ldb]);
        c[i + j * ldc] = alpha * sum + (beta == 0 ? T(0) : beta * c[i + j * ldc]);
      }
  });
  return OK;
}
extern "C" {
int cublasSgemm_v2(void *, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
                   const float *b, int ldb, const float *beta, float *c, int ldc) {
  return multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
int cublasDgemm_v2(void *, int ta, int tb, int m, int n, int k, const double *alpha, const double *a, int lda,
                   const double *b, int ldb, const double *beta, double *c, int ldc) {
  return multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}

// NVRTC: g++, with a wrapper for every kernel that takes its arguments by their places, as a driver does.
static std::string wrapped(const std::string &source) {
  const std::string memory = "T *arena, const T *data, const unsigned *order, unsigned *counter";
  std::regex declaration(R"re(extern "C" __global__ void (\w+)\(([^)]*)\))re"), argument(R"re((\w[\w *]*[ *])\w+)re");
  // Shared memory of a size given at launch.
  std::regex room(R"re(extern __shared__ (\w+) (\w+)\[\];)re");
  std::string text = HEAD + std::regex_replace(source, room, "\n#define $2 (($1 *)running->room)\n");
  for (std::sregex_iterator d(source.begin(), source.end(), declaration), end; d != end; ++d) {
    std::string all = std::regex_replace((*d)[2].str(), std::regex("^MEMORY"), memory), name = (*d)[1], call, sizes;
    int number = 0;
    for (std::sregex_iterator a(all.begin(), all.end(), argument); a != end; ++a, ++number) {
      std::string type = (*a)[1], comma = number ? ", " : "";
      call += comma + "*(" + type + "*)p[" + std::to_string(number) + "]";
      sizes += "sizeof(" + type + "), ";
    }
    text += "extern \"C\" { void call_" + name + "(void **p) { " + name + "(" + call + "); }\n";
    text += "size_t sizes_" + name + "[] = {" + sizes + "0}; }\n";
  }
  return text;
}
struct Program { std::string source, path; };
extern "C" {
int nvrtcCreateProgram(void **program, const char *source, const char *, int, const char *const *, const char *const *) {
  return *program = new Program{source, ""}, OK;
}
int nvrtcCompileProgram(void *program, int, const char *const *) {
  Program &p = *(Program *)program;
  // A file of a name of its own, wherever temporary files go.
  p.path = (std::filesystem::temp_directory_path() / "emulated-XXXXXX").string();
  int file = mkstemp(p.path.data());
  if (file < 0) return 6;
  close(file);
  std::ofstream(p.path + ".cpp") << wrapped(p.source);
  // Names like `advance` are those of the C library, too: the module's own come first.
  std::string command = "g++ -O1 -w -shared -fPIC -Wl,-Bsymbolic -o " + p.path + " " + p.path + ".cpp";
  int outcome = system(command.c_str());
  remove((p.path + ".cpp").c_str());
  return outcome ? 6 : OK;
}
int nvrtcGetPTXSize(void *program, size_t *size) { return *size = ((Program *)program)->path.size() + 1, OK; }
int nvrtcGetPTX(void *program, char *text) { return strcpy(text, ((Program *)program)->path.c_str()), OK; }
int nvrtcGetProgramLogSize(void *, size_t *size) { return *size = 1, OK; }
int nvrtcGetProgramLog(void *, char *text) { return *text = 0, OK; }
int nvrtcDestroyProgram(void **program) { return delete (Program *)*program, OK; }
const char *nvrtcGetErrorString(int) { return "an error of the emulator"; }
}
