export type Undo = {
  add(step: () => Promise<unknown>): void
  /** Undoes all steps, the last first; once, however often it is asked. */
  all(): Promise<void>
}

export function createUndo(): Undo {
  const steps: (() => Promise<unknown>)[] = []
  let undone: Promise<void> | undefined
  const run = async (): Promise<void> => {
    const failures: unknown[] = []
    // A step that fails must not keep the others from being undone: the database is the last of them.
    for (const step of steps.toReversed()) await step().catch((error) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
  return {
    add: (step) => void steps.push(step),
    all: () => {
      undone ??= run()
      return undone
    },
  }
}
