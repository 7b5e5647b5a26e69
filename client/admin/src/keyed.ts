/** A part of the page that shows an item. */
export interface Shown<Item> {
  readonly root: HTMLElement
  update(item: Item): void
}

/** Keeps a part of the page for each item of a list: parts that stay keep their focus, selection, and place. */
export class Keyed<Item> {
  readonly #parent: HTMLElement
  readonly #keyOf: (item: Item) => string
  readonly #create: (item: Item) => Shown<Item>
  readonly #shown = new Map<string, Shown<Item>>()

  constructor(parent: HTMLElement, keyOf: (item: Item) => string, create: (item: Item) => Shown<Item>) {
    this.#parent = parent
    this.#keyOf = keyOf
    this.#create = create
  }

  get(key: string): Shown<Item> | undefined {
    return this.#shown.get(key)
  }

  /** Shows these items, in this order. */
  show(items: readonly Item[]): void {
    const keys = new Set(items.map(this.#keyOf))
    for (const [key, part] of this.#shown) {
      if (keys.has(key)) continue
      part.root.remove()
      this.#shown.delete(key)
    }
    let place = this.#parent.firstElementChild
    for (const item of items) {
      const key = this.#keyOf(item)
      const part = this.#shown.get(key) ?? this.#create(item)
      this.#shown.set(key, part)
      part.update(item)
      // Moving an element would take its focus away.
      if (part.root === place) place = place.nextElementSibling
      else this.#parent.insertBefore(part.root, place)
    }
  }
}
