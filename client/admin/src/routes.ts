/** The sections of the page. */
export const SECTIONS = ['uploads', 'errors', 'deliveries', 'sweep', 'tokens', 'settings'] as const
export type Section = (typeof SECTIONS)[number]

/** A place in the page: a section, or an upload. */
export interface Route {
  readonly section: Section
  /** The id of an upload; only in the section `uploads`. */
  readonly id: string | undefined
}

/** The address of a place. */
export function routeOf(section: Section, id?: string): string {
  return id === undefined ? `#/${section}` : `#/${section}/${encodeURIComponent(id)}`
}

/** The place that an address names; without one, the list of uploads. @param hash with its `#`. */
export function routeIn(hash: string): Route {
  const [, name = '', id] = hash.split('/')
  const section = SECTIONS.find((found) => found === name) ?? 'uploads'
  return { section, id: section === 'uploads' && id !== undefined && id !== '' ? decoded(id) : undefined }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
