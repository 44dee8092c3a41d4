/* applets.h - the classes compiled into the card, and what birth needs to know of them. */
#ifndef CARD_APPLETS_APPLETS_H
#define CARD_APPLETS_APPLETS_H

#include "card/os/applet.h"

enum applet_class_number { APPLET_USIM, APPLET_PROSE, APPLET_RFM };

extern const struct applet_class usim_class, prose_class, rfm_class;

#endif
