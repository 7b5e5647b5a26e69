/** The file on the server is not the one that was sent. */
export class Damaged extends Error {}
