export type BatchedLoad<Item, Result> = {
  /** Callers of one name share one promise; items of the moment share one load. */
  get(item: Item): Promise<Result>
  /** Whoever asks from now on gets a load that starts after this call. */
  forget(name: string): void
}

type Waiting<Item, Result> = { readonly name: string; readonly item: Item } & PromiseWithResolvers<Result>

/**
 * Turns single requests into batches without a delay: a load starts at once when none is under way,
 * and what arrives meanwhile makes the next one. `load` answers by name; a name it leaves out rejects.
 */
export function createBatchedLoad<Item, Result>(options: {
  batchMax: number
  nameOf: (item: Item) => string
  load: (items: readonly Item[]) => Promise<ReadonlyMap<string, Result>>
}): BatchedLoad<Item, Result> {
  const pending = new Map<string, Waiting<Item, Result>>()
  let queue: Waiting<Item, Result>[] = []
  let isDraining = false

  async function drain(): Promise<void> {
    isDraining = true
    // The callers of this very tick join the first load.
    await Promise.resolve()
    while (queue.length > 0) {
      const batch = queue.slice(0, options.batchMax)
      queue = queue.slice(options.batchMax)
      await settle(batch, options.load)
      for (const waiting of batch) if (pending.get(waiting.name) === waiting) pending.delete(waiting.name)
    }
    isDraining = false
  }

  return {
    get: (item) => {
      const name = options.nameOf(item)
      const shared = pending.get(name)
      if (shared) return shared.promise
      const waiting = { name, item, ...Promise.withResolvers<Result>() }
      pending.set(name, waiting)
      queue.push(waiting)
      // Never rejects: each load hands its failure to those who wait for it.
      if (!isDraining) void drain()
      return waiting.promise
    },
    forget: (name) => {
      pending.delete(name)
    },
  }
}

async function settle<Item, Result>(
  batch: readonly Waiting<Item, Result>[],
  load: (items: readonly Item[]) => Promise<ReadonlyMap<string, Result>>,
): Promise<void> {
  try {
    const results = await load(batch.map(({ item }) => item))
    for (const { name, resolve, reject } of batch) {
      const result = results.get(name)
      if (result === undefined) reject(new Error(`nothing was loaded for ${name}`))
      else resolve(result)
    }
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}
