/*
 * A Slurm plugin (SPANK) by which `#SBATCH --carbon` and `srun --carbon` run each task under carbon-run, and `all` does so for every
 * job of a cluster.
 *
 *     gcc -shared -fPIC -O2 -o spank_carbon_run.so spank_carbon_run.c
 *
 * In plugstack.conf (arguments are optional; `all` is for every job that does not say --no-carbon):
 *
 *     optional /usr/lib/slurm/spank_carbon_run.so task=/usr/local/libexec/carbon-run-task all
 *
 * The plugin changes one word of the task: its program becomes `carbon-run-task`, which starts carbon-run with the program that it was.
 * It runs in the task's own process, as the user, right before the program would be executed (spank(8), slurm_spank_task_init).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slurm/spank.h>

SPANK_PLUGIN(carbon_run, 1);

#define TASK "/usr/local/libexec/carbon-run-task"

/* The program that was, for carbon-run-task. */
#define PROGRAM "CARBON_TASK_PROGRAM"

static int wanted; /* 1: --carbon, -1: --no-carbon, 0: nothing was said */

static int on(int value, const char *argument, int remote) {
    (void)argument;
    (void)remote;
    wanted = value;
    return 0;
}

static struct spank_option carbon = {"carbon", NULL, "measure each task's energy with carbon-run", 0, 1, on};
static struct spank_option no_carbon = {"no-carbon", NULL, "do not measure the tasks' energy", 0, -1, on};

int slurm_spank_init(spank_t spank, int count, char **arguments) {
    (void)count;
    (void)arguments;
    if (spank_option_register(spank, &carbon) != ESPANK_SUCCESS) return -1;
    return spank_option_register(spank, &no_carbon) == ESPANK_SUCCESS ? 0 : -1;
}

int slurm_spank_task_init(spank_t spank, int count, char **arguments) {
    const char *task = TASK;
    int all = 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], "task=", 5) == 0) task = arguments[i] + 5;
        if (strcmp(arguments[i], "all") == 0) all = 1;
    }
    if (wanted < 0 || (wanted == 0 && !all)) return 0;

    int words = 0;
    char **argv = NULL;
    if (spank_get_item(spank, S_JOB_ARGV, &words, &argv) != ESPANK_SUCCESS || words < 1) return 0;
    /* The job runs in any case: what cannot be measured is not. */
    if (access(task, X_OK) != 0) {
        slurm_error("carbon-run: cannot run %s, so this task is not measured", task);
        return 0;
    }
    char *wrapper = strdup(task);
    if (wrapper == NULL || spank_setenv(spank, PROGRAM, argv[0], 1) != ESPANK_SUCCESS) return 0;
    argv[0] = wrapper;
    return 0;
}
