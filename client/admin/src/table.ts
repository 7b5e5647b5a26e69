import { element } from '../../src/dom.ts'
import type { TextKey } from './i18n/en.ts'
import { isTextKey, t } from './i18n/language.ts'
import { labelled, texted } from './texted.ts'

/*
 * Narrow pages lay tables out as cards. Browsers then drop the roles of a table, so these are explicit; and the style
 * sheet shows the heading of a cell next to it.
 */

/** A table with a name and headings. Returns it with its body. */
export function table(
  name: TextKey,
  headings: readonly (TextKey | HTMLTableCellElement)[],
): { readonly root: HTMLTableElement; readonly body: HTMLTableSectionElement } {
  const body = element('tbody', { role: 'rowgroup' })
  const heads = headings.map((head) =>
    typeof head === 'string' ? texted('th', head, { role: 'columnheader', scope: 'col' }) : head,
  )
  const root = element(
    'table',
    { role: 'table', ...labelled(name) },
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...heads)),
    body,
  )
  return { root, body }
}

/** A cell below a heading. @param kind its class. */
export function cell(heading: TextKey, kind: string, ...children: readonly (Node | string)[]): HTMLTableCellElement {
  const attributes = { role: 'cell', class: kind, 'data-heading': t(heading), 'data-heading-key': heading }
  return element('td', attributes, ...children)
}

/** Translates the headings of all cells in the page. */
export function translateCells(): void {
  for (const found of document.querySelectorAll<HTMLElement>('[data-heading-key]')) {
    const key = found.dataset['headingKey'] ?? ''
    if (isTextKey(key)) found.dataset['heading'] = t(key)
  }
}
