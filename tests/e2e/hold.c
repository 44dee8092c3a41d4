/* hold.so: preloaded into a phone-side program, it stops the process at its very end, so that its memory, freed blocks
 * included, can be copied before it goes (leakcheck run). */
#include <signal.h>

__attribute__((destructor)) static void hold(void)
{
	(void)raise(SIGSTOP);
}
