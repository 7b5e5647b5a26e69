/** An id that `idOn` makes for a node. */
const MADE_ON_A_NODE = /^([a-z]{1,4})-[0-9a-f]{30}$/

/** Digits of an id that tell the uploads of a node apart: 120 bits. */
const DIGITS = 30

/** Whether `node` can be the name of a node: letters, which a proxy finds at the beginning of an id. */
export function isNodeName(node: string): boolean {
  return /^[a-z]{1,4}$/.test(node)
}

/**
 * The id of a new upload.
 *
 * @param node the name of the node; empty for a service that is alone.
 * @param digits 32 hexadecimal digits.
 */
export function idOn(node: string, digits: string): string {
  return node === '' ? digits : `${node}-${digits.slice(0, DIGITS)}`
}

/** An id of the node on which `made` was made. */
export function onSameNode(made: string, id: string): string {
  const node = MADE_ON_A_NODE.exec(made)?.[1]
  return node === undefined || id.startsWith(`${node}-`) ? id : `${node}-${id}`
}

/** The beginning of an id that spreads ids evenly over about 256 folders. */
export function spread(id: string): string {
  const node = MADE_ON_A_NODE.exec(id)?.[1]
  return id.slice(0, node === undefined ? 2 : node.length + '-00'.length)
}
