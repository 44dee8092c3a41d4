/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every suite; last line "N passed, N failed". A word on the command line picks suites by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

int main(int argc, char **argv)
{
	Suite *(*const suites[])(void) = { suite_apdu, suite_crypto, suite_sakke, suite_aka, suite_mikey, suite_ota, suite_card,
		suite_profile, suite_usim, suite_prose, suite_media, suite_attacks, suite_image, suite_image_migration,
		suite_power, suite_epoch, suite_host, suite_farm, suite_cat, suite_rfm, suite_scp03, suite_isd, suite_domain,
		suite_agent, suite_smpp, suite_campaign, suite_network, suite_migration, suite_pcsc, suite_text, suite_wipe,
		suite_sandbox };
	SRunner *runner = srunner_create(NULL);
	int failed, run;

	(void)argc;
	/* Against a test that hangs; cases count work, which a busy machine does slowly. */
	(void)setenv("CK_DEFAULT_TIMEOUT", "600", 0);
	for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run(runner, argv[1], NULL, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	(void)printf("%d passed, %d failed\n", run - failed, failed);
	return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
