/* SPDX-License-Identifier: Apache-2.0 */
/* applets.h - the classes compiled into the card, and what birth needs to know of them. */
#ifndef CARD_APPLETS_APPLETS_H
#define CARD_APPLETS_APPLETS_H

#include "card/os/applet.h"

enum applet_class_number { APPLET_USIM, APPLET_PROSE, APPLET_RFM, APPLET_TOOLKIT, APPLET_DOMAIN };

/* What sets a rule of the toolkit applet off; the value behind it is a command's type, a timer or an event. */
enum toolkit_when { WHEN_PROFILE_DOWNLOAD, WHEN_DONE, WHEN_FAILED, WHEN_TIMER, WHEN_EVENT };

/* USIM, ProSe, remote management and the issuer domain: slots 0 to 3. They are not deleted. */
enum { BUILT_IN_INSTANCES = 4 };

/* Whether a ProSe instance asks for permissions (docs/prose-applet.md): it was born closed, or has been given one. */
MUST_USE bool prose_permission_judged(struct applet *);

extern const struct applet_class usim_class, prose_class, rfm_class, toolkit_class, domain_class;

#endif
