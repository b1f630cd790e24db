import { setFlagsFromString } from 'node:v8'

/**
 * How far the heap may grow over what is alive before the garbage of it is looked for, in percent. V8 lets a heap that
 * fills fast grow to four times that: 500 MB where some 60 are alive. This keeps it under 350 for a few percent of CPU
 * at saturation, and costs nothing below it (bench/README.md).
 */
const GROWTH_PERCENT = 70

/** Keeps the memory of this process near what it needs. Before load: what has grown is not given back at once. */
export function boundHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}
