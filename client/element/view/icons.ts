import { drawing } from './drawing.ts'

/** Outlines of icons in a square of 24 by 24. */
const OUTLINES = {
  pause: 'M9 5v14M15 5v14',
  resume: 'M7 4.5v15l12-7.5z',
  retry: 'M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5',
  choose: 'M3 18V6h6l2 2.5h10V18z',
  cancel: 'm6 6 12 12M18 6 6 18',
  forget: 'm6 6 12 12M18 6 6 18',
  delete: 'M4 7h16M9.5 7V4h5v3M6.5 7l1 13h9l1-13M10 11v5.5M14 11v5.5',
  open: 'M14 4h6v6m0-6-9 9M18 14v6H4V6h6',
  download: 'M12 4v11m0 0-4.5-4.5M12 15l4.5-4.5M4 20h16',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  check: 'm5 12.5 4.5 4.5L19 7.5',
} as const

export type IconName = keyof typeof OUTLINES

/** An icon. */
export function icon(name: IconName): SVGSVGElement {
  return drawing({ [name]: OUTLINES[name] })
}
