import { element, setText } from '../../src/dom.ts'
import type { StatsShown } from './api/answers.ts'
import type { TextKey } from './i18n/en.ts'
import { t } from './i18n/language.ts'
import { countText, rateText, sizeText } from './numbers.ts'
import { labelled, texted } from './texted.ts'

/** From this share of used space on, the disk is shown as full, in per cent. */
const DISK_ALARM = 90

/** The totals of the service: what arrives, what is stored, and how full the disk is. */
export class Totals {
  readonly #incoming = new Figure('totals.incoming')
  readonly #stored = new Figure('totals.stored')
  readonly #requests = new Figure('totals.requests')
  readonly #disk = new Figure('totals.disk')
  readonly #fill = element('span', { class: 'fill' })
  readonly #bar = element(
    'div',
    { class: 'bar', role: 'meter', 'aria-valuemin': '0', 'aria-valuemax': '100', ...labelled('totals.used') },
    this.#fill,
  )
  readonly #indexing = element('p', { class: 'hint indexing' })
  readonly root = element(
    'section',
    { class: 'totals', hidden: '', ...labelled('totals.label') },
    this.#incoming.root,
    this.#stored.root,
    this.#requests.root,
    this.#disk.root,
    this.#indexing,
  )
  #stats: StatsShown | undefined

  constructor() {
    this.#disk.root.append(this.#bar)
  }

  update(stats: StatsShown): void {
    this.#stats = stats
    this.translate()
  }

  translate(): void {
    if (this.#stats === undefined) return
    const { rates, activeUploads, total, quarantine, index } = this.#stats
    this.root.hidden = false
    this.#incoming.show(rateText(rates.received), t('totals.active', { count: countText(activeUploads) }))
    const stored = [t('totals.uploads', { count: countText(total.count) })]
    if (quarantine !== null && quarantine.count > 0) {
      const { count, bytes } = quarantine
      stored.push(t('totals.quarantine', { count: countText(count), size: sizeText(bytes) }))
    }
    this.#stored.show(sizeText(total.bytes), stored.join(' · '))
    this.#requests.show(
      t('totals.per-second', { count: countText(rates.requests, 1) }),
      t('totals.errors', { count: countText(rates.errors, 2) }),
    )
    this.#showDisk(this.#stats)
    setText(this.#indexing, index.isComplete ? '' : t('totals.indexing', { count: countText(index.indexed) }))
  }

  #showDisk({ disk }: StatsShown): void {
    this.#bar.hidden = disk === null
    if (disk === null) {
      this.#disk.show(t('totals.bucket'), t('totals.bucket-hint'))
      return
    }
    const used = disk.size === 0 ? 100 : Math.round((1 - disk.free / disk.size) * 100)
    this.#disk.show(`${used}%`, t('totals.free', { free: sizeText(disk.free), size: sizeText(disk.size) }))
    this.#bar.setAttribute('aria-valuenow', String(used))
    this.#fill.style.transform = `scaleX(${used / 100})`
    this.#disk.root.classList.toggle('alarm', used >= DISK_ALARM)
  }
}

/** A number with its meaning, and more about it. */
class Figure {
  readonly #value = element('span', { class: 'value' })
  readonly #more = element('span', { class: 'more' })
  readonly root: HTMLElement

  constructor(name: TextKey) {
    this.root = element(
      'div',
      { class: 'card figure' },
      texted('span', name, { class: 'what' }),
      this.#value,
      this.#more,
    )
  }

  show(value: string, more: string): void {
    setText(this.#value, value)
    setText(this.#more, more)
  }
}
