import { type Charge, isNothing, NO_CHARGE, sum } from './charge.ts'

/** Totals that outlive the process. They may be old: a recount replaces them. */
export interface KeptTotals {
  readonly total: Charge
  readonly accounts: readonly (readonly [account: string, charge: Charge])[]
}

/** The sums of charges, in total and by account. An account without a charge is forgotten. */
export class Sums {
  total: Charge
  /** Bytes of unfinished uploads. */
  unfinishedBytes = 0
  readonly accounts: Map<string, Charge>

  constructor(total: Charge = NO_CHARGE, accounts: KeptTotals['accounts'] = []) {
    this.total = total
    this.accounts = new Map(accounts)
  }

  of(account: string): Charge {
    return this.accounts.get(account) ?? NO_CHARGE
  }

  add(account: string | undefined, change: Charge, unfinishedBytes: number): void {
    this.total = sum(this.total, change)
    this.unfinishedBytes += unfinishedBytes
    if (account === undefined) return
    const charge = sum(this.of(account), change)
    if (isNothing(charge)) this.accounts.delete(account)
    else this.accounts.set(account, charge)
  }
}
