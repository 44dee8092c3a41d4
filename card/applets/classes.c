/* SPDX-License-Identifier: Apache-2.0 */
#include "card/applets/applets.h"

const struct applet_class *const applet_classes[] = {
	[APPLET_USIM] = &usim_class,
	[APPLET_PROSE] = &prose_class,
	[APPLET_RFM] = &rfm_class,
	[APPLET_TOOLKIT] = &toolkit_class,
	[APPLET_DOMAIN] = &domain_class,
};
const size_t applet_class_count = sizeof applet_classes / sizeof applet_classes[0];
