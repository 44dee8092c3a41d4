/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/pc3/signature_xml.h"

#include <libxml/c14n.h>
#include <stdio.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "crypto/common/hash.h"
#include "apdu/base/text.h"

#define EXCLUSIVE "http://www.w3.org/2001/10/xml-exc-c14n#"
#define HMAC_SHA_256 "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
#define DIGEST_SHA_256 "http://www.w3.org/2001/04/xmlenc#sha256"
enum { BASE64_32 = 45 };

/* ---- canonical form ------------------------------------------------------------------------------------------------- */

/* Is this below the element, or the element? Attributes and namespaces are where their parent is. */
static int within(void *element, xmlNodePtr node, xmlNodePtr parent)
{
	const xmlNode *n = node->type == XML_ATTRIBUTE_NODE || node->type == XML_NAMESPACE_DECL ? parent : node;

	while (n != NULL && n != element)
		n = n->type == XML_DOCUMENT_NODE ? NULL : n->parent;
	return n != NULL;
}

static xmlBufferPtr canonical(xmlNode *element)
{
	xmlBufferPtr memory = xmlBufferCreate();
	xmlOutputBufferPtr out = memory != NULL ? xmlOutputBufferCreateBuffer(memory, NULL) : NULL;
	int n = out != NULL ? xmlC14NExecute(element->doc, within, element, XML_C14N_EXCLUSIVE_1_0, NULL, 0, out) : -1;

	if (out != NULL && xmlOutputBufferClose(out) < 0)
		n = -1;
	if (n >= 0)
		return memory;
	if (memory != NULL)
		xmlBufferFree(memory);
	return NULL;
}

static enum status digest_of(xmlNode *element, char out[BASE64_32])
{
	xmlBufferPtr text = canonical(element);
	uint8_t hash[SHA256_LEN];
	struct buf b = { (uint8_t *)out, 0, BASE64_32 - 1, false };
	enum status st = ERR_NO_SPACE;
	struct bytes in;

	if (text != NULL) {
		in = (struct bytes){ xmlBufferContent(text), (size_t)xmlBufferLength(text) };
		if ((st = sha256(&in, 1, hash)) == OK)
			base64_encode(BYTES_OF(hash), &b);
		xmlBufferFree(text);
	}
	out[b.len] = 0;
	return st;
}

/* ---- the form --------------------------------------------------------------------------------------------------------
 *
 * SignedInfo, one row an element, in order: how deep it lies, its name, its attribute, and what that has to be (NULL: the
 * element's reference). */
static const struct part {
	int depth;
	const char *name, *attribute, *value;
} parts[] = {
	{ 0, "SignedInfo", NULL, NULL },
	{ 1, "CanonicalizationMethod", "Algorithm", EXCLUSIVE },
	{ 1, "SignatureMethod", "Algorithm", HMAC_SHA_256 },
	{ 1, "Reference", "URI", NULL },
	{ 2, "Transforms", NULL, NULL },
	{ 3, "Transform", "Algorithm", EXCLUSIVE },
	{ 2, "DigestMethod", "Algorithm", DIGEST_SHA_256 },
	{ 2, "DigestValue", NULL, NULL },
};
enum { PARTS = sizeof parts / sizeof *parts, DEPTH = 4 };

static const xmlChar *x(const char *text)
{
	return (const xmlChar *)text;
}

static xmlNode *put_signed_info(xmlNode *signature, xmlNs *ns, const char *reference, const char *digest)
{
	xmlNode *open[DEPTH + 1] = { signature }, *n = NULL;

	for (size_t i = 0; i < PARTS; i++) {
		const struct part *p = &parts[i];

		n = xmlNewChild(open[p->depth], ns, x(p->name), i == PARTS - 1 ? x(digest) : NULL);
		if (n == NULL || (p->attribute != NULL &&
		                         xmlNewProp(n, x(p->attribute), x(p->value != NULL ? p->value : reference)) == NULL))
			return NULL;
		open[p->depth + 1] = n;
	}
	return open[1];
}

enum status xml_sign(xmlNode *parent, xmlNode *element, const char *id, const char *key_name, struct bytes key)
{
	char reference[64], text[BASE64_32];
	uint8_t mac[SHA256_LEN];
	struct buf b = { (uint8_t *)text, 0, sizeof text - 1, false };
	xmlNode *signature, *info;
	xmlBufferPtr form;
	struct bytes in;
	enum status st;
	xmlNs *ns;

	(void)snprintf(reference, sizeof reference, "#%s", id);
	TRY(digest_of(element, text));
	signature = xmlNewChild(parent, NULL, x("Signature"), NULL);
	ns = signature != NULL ? xmlNewNs(signature, x(XML_DSIG), NULL) : NULL;
	if (ns == NULL)
		return ERR_NO_SPACE;
	xmlSetNs(signature, ns);
	if ((info = put_signed_info(signature, ns, reference, text)) == NULL || (form = canonical(info)) == NULL)
		return ERR_NO_SPACE;
	in = (struct bytes){ xmlBufferContent(form), (size_t)xmlBufferLength(form) };
	st = hmac_sha256(key, &in, 1, mac);
	xmlBufferFree(form);
	TRY(st);
	base64_encode(BYTES_OF(mac), &b);
	text[b.len] = 0;
	if (xmlNewChild(signature, ns, x("SignatureValue"), x(text)) == NULL ||
	        (info = xmlNewChild(signature, ns, x("KeyInfo"), NULL)) == NULL ||
	        xmlNewTextChild(info, ns, x("KeyName"), x(key_name)) == NULL)
		return ERR_NO_SPACE;
	return OK;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* The next element from here, with nothing but space before it; NULL: none, or something else. */
static xmlNode *element_from(xmlNode *n)
{
	while (n != NULL && (xmlIsBlankNode(n) == 1 || n->type == XML_COMMENT_NODE))
		n = n->next;
	return n != NULL && n->type == XML_ELEMENT_NODE ? n : NULL;
}

bool xml_is(const xmlNode *n, const char *ns, const char *name)
{
	return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0 && n->ns != NULL &&
	       strcmp((const char *)n->ns->href, ns) == 0;
}

const char *xml_text(const xmlNode *n)
{
	const xmlNode *t = n->children;

	return t != NULL && t->type == XML_TEXT_NODE && t->next == NULL ? (const char *)t->content : "";
}

static bool is(const xmlNode *n, const char *name)
{
	return n != NULL && xml_is(n, XML_DSIG, name);
}

/* The only attribute of an element. */
static const char *attribute_of(const xmlNode *n, const char *name)
{
	const xmlAttr *a = n->properties;

	return a != NULL && a->next == NULL && strcmp((const char *)a->name, name) == 0 && a->children != NULL &&
	                       a->children->type == XML_TEXT_NODE && a->children->next == NULL
	               ? (const char *)a->children->content
	               : "";
}

/* Exactly the parts, in order; *digest: what the last of them says. */
static bool has_form(xmlNode *info, const char *reference, const char **digest)
{
	xmlNode *open[DEPTH + 1] = { NULL }, *n = info;

	for (size_t i = 0; i < PARTS; i++) {
		const struct part *p = &parts[i];
		const bool deeper = i > 0 && p->depth > parts[i - 1].depth;

		if (i > 0)
			n = element_from(deeper ? open[p->depth]->children : open[p->depth + 1]->next);
		if (i > 0 && !deeper && element_from(open[parts[i - 1].depth + 1]->children) != NULL)
			return false;
		/* What was opened deeper has to be at its end. */
		for (int d = p->depth + 2; i > 0 && !deeper && d <= parts[i - 1].depth + 1; d++)
			if (element_from(open[d]->next) != NULL)
				return false;
		if (!is(n, p->name) || (p->attribute != NULL && strcmp(attribute_of(n, p->attribute),
		                                                        p->value != NULL ? p->value : reference) != 0))
			return false;
		open[p->depth + 1] = n;
	}
	for (int d = 2; d <= parts[PARTS - 1].depth + 1; d++)
		if (element_from(open[d]->next) != NULL)
			return false;
	*digest = xml_text(n);
	return true;
}

static enum status check_digest(xmlNode *element, const char *said)
{
	char is_now[BASE64_32];

	TRY(digest_of(element, is_now));
	return strcmp(is_now, said) == 0 ? OK : ERR_CRYPTO;
}

enum status xml_signature_read(const xmlNode *signature, xmlNode *element, struct xml_signature *out)
{
	xmlNode *info = is(signature, "Signature") ? element_from(signature->children) : NULL;
	xmlNode *value = info != NULL ? element_from(info->next) : NULL,
	        *key = value != NULL ? element_from(value->next) : NULL;
	struct buf v = BUF_OF(out->value), i = BUF_OF(out->signed_info);
	xmlChar *id = xmlGetNoNsProp(element, x("Id"));
	const char *digest = "", *name;
	char reference[64];
	xmlBufferPtr form;
	bool fits;

	*out = (struct xml_signature){ .signed_info_len = 0 };
	fits = id != NULL && text_put(reference, sizeof reference, "#%s", (const char *)id);
	xmlFree(id);
	if (!fits || info == NULL || !has_form(info, reference, &digest) || !is(value, "SignatureValue") ||
	        base64_decode(bytes_str(xml_text(value)), &v) != OK || v.len != sizeof out->value || !is(key, "KeyInfo") ||
	        element_from(key->next) != NULL || !is(element_from(key->children), "KeyName"))
		return ERR_MALFORMED;
	name = xml_text(element_from(key->children));
	if (name[0] == 0 || strlen(name) >= sizeof out->key_name)
		return ERR_MALFORMED;
	(void)snprintf(out->key_name, sizeof out->key_name, "%s", name);
	TRY(check_digest(element, digest));
	if ((form = canonical(info)) == NULL)
		return ERR_NO_SPACE;
	buf_put(&i, (struct bytes){ xmlBufferContent(form), (size_t)xmlBufferLength(form) });
	xmlBufferFree(form);
	out->signed_info_len = i.len;
	return i.failed ? ERR_MALFORMED : OK;
}
