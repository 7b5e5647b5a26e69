/** Attributes by name, including `class` and `data-…`. */
type Attributes = Readonly<Record<string, string>>

/** Creates an element with attributes and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const created = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value)
  created.append(...children)
  return created
}

/** The element with this id. Throws when the page has none of this kind. */
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`The page has no #${id} of the expected kind.`)
  return found
}

/** Sets a text if it differs: setting it again would clear the selection and make screen readers repeat it. */
export function setText(target: Node, text: string): void {
  if (target.textContent !== text) target.textContent = text
}
