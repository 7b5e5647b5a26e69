/** Media type of a PATCH in the IETF draft. */
export const DRAFT_PATCH_TYPE = 'application/partial-upload'
/** Media type of a PATCH in tus. */
export const TUS_PATCH_TYPE = 'application/offset+octet-stream'
/** `Accept-Patch`: the accepted media types of a PATCH (RFC 5789 §3.1). */
export const ACCEPT_PATCH = `${DRAFT_PATCH_TYPE}, ${TUS_PATCH_TYPE}`
