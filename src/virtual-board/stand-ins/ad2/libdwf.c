/*
 * A stand-in for Digilent's WaveForms library: the same functions, each of which asks the simulated device of
 * `memloop mock --as waveforms` over the Unix socket that MEMLOOP_DWF_SOCKET names. `serve.ts` says what goes over it.
 * The prototypes are the ABI as memloop calls it: 1 is good, 0 bad; function, trigger source and state are single bytes.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define NUMBERS_MOST 16384
#define TEXT_MOST 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int server = -1;
static char message[TEXT_MOST];
/* The answer of the last call, held under the lock. */
static char text[TEXT_MOST];
static double numbers[NUMBERS_MOST];
static uint32_t count;

static int failed(const char *why) {
  snprintf(message, sizeof message, "%s", why);
  return 0;
}

static int put(const void *bytes, size_t length) {
  for (const char *at = bytes; length > 0;) {
    ssize_t sent = send(server, at, length, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    at += sent;
    length -= (size_t)sent;
  }
  return 1;
}

static int get(void *bytes, size_t length) {
  for (char *at = bytes; length > 0;) {
    ssize_t got = recv(server, at, length, 0);
    if (got <= 0) return 0;
    at += got;
    length -= (size_t)got;
  }
  return 1;
}

static int attach(void) {
  if (server >= 0) return 1;
  const char *path = getenv("MEMLOOP_DWF_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path == NULL || strlen(path) >= sizeof address.sun_path) return 0;
  strcpy(address.sun_path, path);
  server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (server >= 0 && connect(server, (struct sockaddr *)&address, sizeof address) == 0) return 1;
  if (server >= 0) close(server);
  server = -1;
  return 0;
}

/* Asks; the caller holds the lock until it has taken the answer. */
static int ask(const char *name, const double *given, uint32_t how_many, const double *list, uint32_t listed) {
  if (!attach()) return failed("the stand-in is not served: MEMLOOP_DWF_SOCKET");
  uint32_t call[2] = {(uint32_t)strlen(name), how_many + listed};
  uint32_t answer[3];
  int whole = put(call, sizeof call) && put(name, call[0]) && put(given, how_many * sizeof *given) &&
              put(list, listed * sizeof *list) && get(answer, sizeof answer) && answer[1] < TEXT_MOST &&
              answer[2] <= NUMBERS_MOST && get(text, answer[1]) && get(numbers, answer[2] * sizeof *numbers);
  if (!whole) {
    close(server);
    server = -1;
    return failed("the stand-in has gone");
  }
  text[answer[1]] = 0;
  count = answer[2];
  return answer[0] != 0 ? 1 : failed(text);
}

/* Asks with so many doubles; the answer is not needed. */
static int tell(const char *name, int how_many, ...) {
  double given[8];
  va_list list;
  va_start(list, how_many);
  for (int i = 0; i < how_many; i++) given[i] = va_arg(list, double);
  va_end(list);
  pthread_mutex_lock(&lock);
  int good = ask(name, given, (uint32_t)how_many, NULL, 0);
  pthread_mutex_unlock(&lock);
  return good;
}

/* Asks with up to two whole numbers for one number. */
static int number(const char *name, int how_many, double a, double b, double *out) {
  double given[2] = {a, b};
  pthread_mutex_lock(&lock);
  int good = ask(name, given, (uint32_t)how_many, NULL, 0) && count == 1;
  *out = good ? numbers[0] : 0;
  pthread_mutex_unlock(&lock);
  return good;
}

static int string(const char *name, int how_many, int index, char *out, size_t size) {
  double given = index;
  pthread_mutex_lock(&lock);
  int good = ask(name, &given, (uint32_t)how_many, NULL, 0);
  snprintf(out, size, "%.*s", (int)size - 1, good ? text : "");
  pthread_mutex_unlock(&lock);
  return good;
}

int FDwfGetLastErrorMsg(char out[512]) {
  pthread_mutex_lock(&lock);
  memcpy(out, message, sizeof message);
  pthread_mutex_unlock(&lock);
  return 1;
}

#define INT(call, n, a, b, out)        \
  double value;                        \
  int good = number(call, n, a, b, &value); \
  *(out) = (int)value;                 \
  return good

int FDwfParamSet(int a, int b) { return tell("paramSet", 2, (double)a, (double)b); }
int FDwfGetVersion(char out[32]) { return string("getVersion", 0, 0, out, 32); }
int FDwfEnum(int filter, int *out) { INT("enum", 1, filter, 0, out); }
int FDwfEnumDeviceName(int i, char out[32]) { return string("enumDeviceName", 1, i, out, 32); }
int FDwfEnumSN(int i, char out[32]) { return string("enumSN", 1, i, out, 32); }
int FDwfEnumDeviceIsOpened(int i, int *out) { INT("enumDeviceIsOpened", 1, i, 0, out); }
int FDwfDeviceOpen(int i, int *out) { INT("deviceOpen", 1, i, 0, out); }
int FDwfDeviceClose(int h) { return tell("deviceClose", 1, (double)h); }
int FDwfDeviceAutoConfigureSet(int h, int on) { return tell("deviceAutoConfigureSet", 2, (double)h, (double)on); }

int FDwfDigitalIOOutputEnableSet(int h, unsigned m) { return tell("digitalIOOutputEnableSet", 2, (double)h, (double)m); }
int FDwfDigitalIOOutputSet(int h, unsigned m) { return tell("digitalIOOutputSet", 2, (double)h, (double)m); }
int FDwfDigitalIOConfigure(int h) { return tell("digitalIOConfigure", 1, (double)h); }

int FDwfAnalogIOChannelNodeSet(int h, int c, int n, double v) {
  return tell("analogIOChannelNodeSet", 4, (double)h, (double)c, (double)n, v);
}
int FDwfAnalogIOEnableSet(int h, int on) { return tell("analogIOEnableSet", 2, (double)h, (double)on); }
int FDwfAnalogIOConfigure(int h) { return tell("analogIOConfigure", 1, (double)h); }

#define OUT_NODE(Name, type)                                              \
  int FDwfAnalogOutNode##Name##Set(int h, int c, int n, type v) {         \
    return tell("analogOutNode" #Name "Set", 4, (double)h, (double)c, (double)n, (double)v); \
  }
OUT_NODE(Enable, int)
OUT_NODE(Function, uint8_t)
OUT_NODE(Frequency, double)
OUT_NODE(Amplitude, double)
OUT_NODE(Offset, double)
int FDwfAnalogOutNodeDataSet(int h, int c, int n, double *data, int length) {
  double given[3] = {h, c, n};
  pthread_mutex_lock(&lock);
  int good = ask("analogOutNodeDataSet", given, 3, data, (uint32_t)length);
  pthread_mutex_unlock(&lock);
  return good;
}
int FDwfAnalogOutRepeatSet(int h, int c, int n) { return tell("analogOutRepeatSet", 3, (double)h, (double)c, (double)n); }
int FDwfAnalogOutRunSet(int h, int c, double s) { return tell("analogOutRunSet", 3, (double)h, (double)c, s); }
int FDwfAnalogOutIdleSet(int h, int c, int idle) { return tell("analogOutIdleSet", 3, (double)h, (double)c, (double)idle); }
int FDwfAnalogOutConfigure(int h, int c, int start) {
  return tell("analogOutConfigure", 3, (double)h, (double)c, (double)start);
}

int FDwfAnalogInChannelEnableSet(int h, int c, int on) {
  return tell("analogInChannelEnableSet", 3, (double)h, (double)c, (double)on);
}
int FDwfAnalogInChannelRangeSet(int h, int c, double v) { return tell("analogInChannelRangeSet", 3, (double)h, (double)c, v); }
int FDwfAnalogInChannelFilterSet(int h, int c, int f) {
  return tell("analogInChannelFilterSet", 3, (double)h, (double)c, (double)f);
}
int FDwfAnalogInFrequencySet(int h, double hertz) { return tell("analogInFrequencySet", 2, (double)h, hertz); }
int FDwfAnalogInBufferSizeSet(int h, int n) { return tell("analogInBufferSizeSet", 2, (double)h, (double)n); }
int FDwfAnalogInAcquisitionModeSet(int h, int m) { return tell("analogInAcquisitionModeSet", 2, (double)h, (double)m); }
int FDwfAnalogInTriggerSourceSet(int h, uint8_t s) { return tell("analogInTriggerSourceSet", 2, (double)h, (double)s); }
int FDwfAnalogInTriggerAutoTimeoutSet(int h, double s) { return tell("analogInTriggerAutoTimeoutSet", 2, (double)h, s); }
int FDwfAnalogInTriggerPositionSet(int h, double s) { return tell("analogInTriggerPositionSet", 2, (double)h, s); }
int FDwfAnalogInConfigure(int h, int again, int start) {
  return tell("analogInConfigure", 3, (double)h, (double)again, (double)start);
}
int FDwfAnalogInStatus(int h, int read, uint8_t *state) {
  double value;
  int good = number("analogInStatus", 2, h, read, &value);
  *state = (uint8_t)value;
  return good;
}
int FDwfAnalogInStatusData(int h, int c, double *out, int length) {
  double given[3] = {h, c, length};
  pthread_mutex_lock(&lock);
  int good = ask("analogInStatusData", given, 3, NULL, 0);
  if (good) memcpy(out, numbers, (count < (uint32_t)length ? count : (uint32_t)length) * sizeof *out);
  pthread_mutex_unlock(&lock);
  return good;
}
