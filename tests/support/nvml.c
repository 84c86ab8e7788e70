/* A stand-in for NVIDIA's management library, for machines without a GPU.
 *
 * It plays what a script says: the file named by NVML_STAND_IN, one order a line. The file is read on at every call, so
 * that a test, or the job itself, can append what happens next.
 *
 *   driver VERSION              init CODE (what nvmlInit_v2 returns)
 *   gpu N UUID MINOR NAME       a device; the orders below name it by N
 *   watts N W                   what it draws from now on; its counter follows
 *   counter N MJ                the counter, in millijoules
 *   holds N PID [SLICE]         a compute context       draws N PID     a graphics context
 *   leaves N PID                all its contexts go      client N PID    a client of the MPS server
 *   sample N PID STAMP PERCENT  a sample of its use      busy N PERCENT  of the device's own time
 *   slice N UUID SLICES         a partition, of seven    name PID NAME   of a process
 *   fail N CALL CODE            CALL returns CODE (0: works again); handle, energy, power, compute, graphics, samples
 *
 * With OLD defined it is a driver that lacks everything since 2018.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT = 7 };
enum { HANDLE, ENERGY, POWER, COMPUTE, GRAPHICS, SAMPLES, CALLS };
enum { DEVICES = 8, PROCESSES = 64, SAMPLED = 1024, SLICES = 7, WHOLE = -1 };

static const char *const calls[CALLS] = {"handle", "energy", "power", "compute", "graphics", "samples"};

struct process { unsigned pid; int slice; int graphics; int client; };
struct sample { unsigned pid; unsigned long long stamp; unsigned percent; };
struct slice { int device; char uuid[96]; unsigned slices; };

/* The first field tells a device (its own number) from a slice (which begins with its device's, negated). */
static struct device {
  int number;
  int there;
  unsigned minor;
  char uuid[96], name[96];
  double watts, millijoules;
  int fail[CALLS];
  struct process processes[PROCESSES];
  int process_count;
  struct sample samples[SAMPLED];
  int sample_count;
  struct slice slices[SLICES];
  int slice_count;
  unsigned busy;
} devices[DEVICES];

static char driver[80] = "580.65.06";
static int init_code;
static struct { unsigned pid; char name[96]; } names[PROCESSES];
static int name_count;
static long read_up_to;
static double last;

typedef void *handle;
struct process_info { unsigned pid; unsigned long long memory; unsigned instance, compute_instance; };
struct utilization_sample { unsigned pid; unsigned long long stamp; unsigned sm, mem, enc, dec; };
struct utilization { unsigned gpu, memory; };
struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char id_text[32]; };
struct attributes { unsigned counts[6], gpu_slices, compute_slices; unsigned long long memory; };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void order(const char *line) {
  char word[32], text[96], rest[96];
  unsigned n, pid, number, percent;
  unsigned long long stamp;
  double value;
  int slice = WHOLE;
  if (sscanf(line, "driver %79s", driver) == 1) return;
  if (sscanf(line, "init %d", &init_code) == 1) return;
  if (sscanf(line, "name %u %95[^\n]", &pid, text) == 2 && name_count < PROCESSES) {
    names[name_count].pid = pid;
    strcpy(names[name_count++].name, text);
    return;
  }
  if (sscanf(line, "%31s %u", word, &n) != 2 || n >= DEVICES) return;
  struct device *d = &devices[n];
  if (sscanf(line, "gpu %u %95s %u %95[^\n]", &n, text, &number, rest) == 4) {
    d->number = (int)n;
    d->there = 1;
    d->minor = number;
    strcpy(d->uuid, text);
    strcpy(d->name, rest);
  } else if (sscanf(line, "watts %u %lf", &n, &value) == 2) {
    d->watts = value;
  } else if (sscanf(line, "counter %u %lf", &n, &value) == 2) {
    d->millijoules = value;
  } else if (sscanf(line, "busy %u %u", &n, &number) == 2) {
    d->busy = number;
  } else if (sscanf(line, "sample %u %u %llu %u", &n, &pid, &stamp, &percent) == 4) {
    if (d->sample_count < SAMPLED) d->samples[d->sample_count++] = (struct sample){pid, stamp, percent};
  } else if (sscanf(line, "slice %u %95s %u", &n, text, &number) == 3 && d->slice_count < SLICES) {
    struct slice *s = &d->slices[d->slice_count++];
    s->device = -1 - (int)n;
    s->slices = number;
    strcpy(s->uuid, text);
  } else if (sscanf(line, "fail %u %31s %u", &n, word, &number) == 3) {
    for (int call = 0; call < CALLS; call++)
      if (!strcmp(word, calls[call])) d->fail[call] = (int)number;
  } else if (sscanf(line, "leaves %u %u", &n, &pid) == 2) {
    int kept = 0;
    for (int i = 0; i < d->process_count; i++)
      if (d->processes[i].pid != pid) d->processes[kept++] = d->processes[i];
    d->process_count = kept;
  } else if (sscanf(line, "%31s %u %u %d", word, &n, &pid, &slice) >= 3 && d->process_count < PROCESSES) {
    int graphics = !strcmp(word, "draws"), client = !strcmp(word, "client");
    if (graphics || client || !strcmp(word, "holds"))
      d->processes[d->process_count++] = (struct process){pid, slice, graphics, client};
  }
}

/* Time passes, and the script is read on: whole lines only, for somebody may be in the middle of one. */
static void now(void) {
  double at = seconds();
  for (int n = 0; n < DEVICES; n++)
    if (last > 0) devices[n].millijoules += devices[n].watts * (at - last) * 1e3;
  last = at;
  const char *path = getenv("NVML_STAND_IN");
  FILE *file = path ? fopen(path, "r") : NULL;
  if (!file) return;
  char line[256];
  fseek(file, read_up_to, SEEK_SET);
  while (fgets(line, sizeof line, file) && strchr(line, '\n')) {
    read_up_to = ftell(file);
    order(line);
  }
  fclose(file);
}

static struct device *of(handle h) {
  int number = *(int *)h;
  return &devices[number < 0 ? -1 - number : number];
}

static int part_of(handle h) {
  if (*(int *)h >= 0) return WHOLE;
  return (int)((struct slice *)h - of(h)->slices);
}

static int fails(handle h, int call) {
  now();
  return of(h)->fail[call];
}

int nvmlInit_v2(void) { now(); return init_code; }
int nvmlShutdown(void) { return SUCCESS; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
  snprintf(text, length, "%s", driver);
  return SUCCESS;
}

int nvmlSystemGetProcessName(unsigned pid, char *text, unsigned length) {
  for (int i = 0; i < name_count; i++)
    if (names[i].pid == pid) {
      snprintf(text, length, "%s", names[i].name);
      return SUCCESS;
    }
  return NOT_FOUND;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
  now();
  *count = 0;
  for (int n = 0; n < DEVICES; n++) *count += (unsigned)devices[n].there;
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *h) {
  now();
  if (index >= DEVICES || !devices[index].there) return INVALID;
  *h = &devices[index];
  return devices[index].fail[HANDLE];
}

int nvmlDeviceGetMinorNumber(handle h, unsigned *minor) { *minor = of(h)->minor; return SUCCESS; }

int nvmlDeviceGetName(handle h, char *text, unsigned length) {
  snprintf(text, length, "%s", of(h)->name);
  return SUCCESS;
}

int nvmlDeviceGetUUID(handle h, char *text, unsigned length) {
  int part = part_of(h);
  snprintf(text, length, "%s", part == WHOLE ? of(h)->uuid : of(h)->slices[part].uuid);
  return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(handle h, struct pci *info) {
  memset(info, 0, sizeof *info);
  snprintf(info->id_text, sizeof info->id_text, "00000000:%02X:00.0", of(h)->minor + 1);
  return SUCCESS;
}

int nvmlDeviceGetPowerUsage(handle h, unsigned *milliwatts) {
  int code = fails(h, POWER);
  *milliwatts = (unsigned)(of(h)->watts * 1e3);
  return code;
}

int nvmlDeviceGetPowerManagementLimitConstraints(handle h, unsigned *least, unsigned *most) {
  (void)h;
  *least = 100000;
  *most = 700000;
  return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(handle h, struct utilization *rates) {
  now();
  *rates = (struct utilization){of(h)->busy, 0};
  return SUCCESS;
}

/* As the driver does: the number that is needed, where there is no room for them. */
static int list(handle h, int call, int graphics, int clients, unsigned *count, struct process_info *infos) {
  int code = fails(h, call);
  struct device *d = of(h);
  unsigned room = *count;
  if (code) return code;
  *count = 0;
  for (int i = 0; i < d->process_count; i++) {
    struct process *p = &d->processes[i];
    if (p->graphics != graphics || (clients && !p->client)) continue;
    if (part_of(h) != WHOLE && p->slice != part_of(h)) continue;
    if (infos && *count < room)
      infos[*count] = (struct process_info){p->pid, 1 << 30, (unsigned)p->slice, (unsigned)p->slice};
    ++*count;
  }
  return *count > room ? INSUFFICIENT : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v2(handle h, unsigned *count, struct process_info *infos) {
  return list(h, COMPUTE, 0, 0, count, infos);
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(handle h, unsigned *count, struct process_info *infos) {
  return list(h, GRAPHICS, 1, 0, count, infos);
}

#ifndef OLD

int nvmlDeviceGetComputeRunningProcesses_v3(handle h, unsigned *count, struct process_info *infos) {
  return list(h, COMPUTE, 0, 0, count, infos);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(handle h, unsigned *count, struct process_info *infos) {
  return list(h, GRAPHICS, 1, 0, count, infos);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(handle h, unsigned *count, struct process_info *infos) {
  return list(h, COMPUTE, 0, 1, count, infos);
}

int nvmlDeviceGetTotalEnergyConsumption(handle h, unsigned long long *millijoules) {
  int code = fails(h, ENERGY);
  *millijoules = (unsigned long long)of(h)->millijoules;
  return code;
}

/* The sample that was seen last is given again: a driver's clock need not tell two apart. */
int nvmlDeviceGetProcessUtilization(handle h, struct utilization_sample *out, unsigned *count,
                                    unsigned long long since) {
  int code = fails(h, SAMPLES);
  struct device *d = of(h);
  unsigned room = *count, found = 0;
  if (code) return code;
  if (d->slice_count) return NOT_SUPPORTED;
  for (int i = 0; i < d->sample_count; i++) {
    struct sample *s = &d->samples[i];
    if (s->stamp < since) continue;
    if (out && found < room) out[found] = (struct utilization_sample){s->pid, s->stamp, s->percent, 0, 0, 0};
    found++;
  }
  *count = found;
  if (!found) return NOT_FOUND;
  return found > room ? INSUFFICIENT : SUCCESS;
}

int nvmlDeviceGetMigMode(handle h, unsigned *current, unsigned *pending) {
  now();
  *current = *pending = of(h)->slice_count > 0;
  return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(handle h, unsigned *count) {
  (void)h;
  *count = SLICES;
  return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(handle h, unsigned index, handle *slice) {
  if (index >= (unsigned)of(h)->slice_count) return NOT_FOUND;
  *slice = &of(h)->slices[index];
  return SUCCESS;
}

int nvmlDeviceGetAttributes_v2(handle h, struct attributes *attributes) {
  int part = part_of(h);
  if (part == WHOLE) return NOT_SUPPORTED;
  memset(attributes, 0, sizeof *attributes);
  attributes->gpu_slices = attributes->compute_slices = of(h)->slices[part].slices;
  return SUCCESS;
}

#endif
