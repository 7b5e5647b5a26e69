/** What `element` takes: attributes by name; `class` and `data-…` included. */
type Attributes = Readonly<Record<string, string>>

/** Makes an element with attributes and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

/** The element with this id. Throws when the page has none, or one of another kind. */
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`the page lacks its #${id}`)
  return found
}

/** Sets a text only where it differs, so that nothing is selected away or read out again for nothing. */
export function setText(target: Node, text: string): void {
  if (target.textContent !== text) target.textContent = text
}
