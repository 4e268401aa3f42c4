/* job.h -- what /proc knows of the processes of a terminal: who is in front, who is busy, who is left. */
#ifndef SCENARIO_JOB_H
#define SCENARIO_JOB_H

/* The process group in front of the terminal of that process; 0: it has none, or is gone. */
int job_foreground(int pid);

/* Processor time it has used, in hundredths of a second. */
unsigned long job_ticks(int pid);

/* Kills what is alive of the session that this process leads or led; how many that were. */
int job_kill_session(int pid);

#endif
