// Preloaded into a program: all its dates are CLOCK_AHEAD milliseconds later. After SIGUSR2, they are CLOCK_STEP
// milliseconds later than that.
const { CLOCK_AHEAD = '0', CLOCK_STEP } = process.env
let ahead = Number(CLOCK_AHEAD)
const Real = Date

globalThis.Date = class ShiftedDate extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + ahead)
    else super(...args)
  }

  static now() {
    return Real.now() + ahead
  }
}

if (CLOCK_STEP !== undefined) {
  process.once('SIGUSR2', () => {
    ahead += Number(CLOCK_STEP)
    process.stderr.write('The clock has stepped.\n')
  })
}
