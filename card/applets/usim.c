/* The USIM: its file tree belongs to the operating system; K and OPc are its own. AUTHENTICATE is not there yet: 6D00. */
#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/applets/applets.h"

/* Parameters: BIRTH_K and BIRTH_OPC. Record "k": K || OPc. */
static enum status usim_install(struct applet *a, struct bytes parameters)
{
	SECRET
	keys = { 0 };
	struct buf b = { keys.data, 0, sizeof keys.data, false };
	struct bytes k, opc;

	TRY(tlv_find(parameters, BIRTH_K, &k));
	TRY(tlv_find(parameters, BIRTH_OPC, &opc));
	if (k.n != 16 || opc.n != 16)
		return ERR_MALFORMED;
	buf_put(&b, k);
	buf_put(&b, opc);
	TRY(buf_status(&b));
	return applet_put(a, BYTES_STR("k"), buf_bytes(&b));
}

const struct applet_class usim_class = {
	.name = "USIM",
	.install = usim_install,
};
