/** A hand-over of one item at a time from who pushes to who pulls: neither gets ahead of the other. */
export type Channel<T> = {
  /** Resolves when the item is taken. Rejects once the reader has failed. */
  write(item: T): Promise<void>
  end(): void
  /** Both sides reject with it. */
  fail(error: unknown): void
  read(): AsyncGenerator<T>
}

export function createChannel<T>(): Channel<T> {
  type Offer = { readonly item: T; readonly taken: () => void; readonly failed: (error: unknown) => void }
  let offered: Offer | undefined
  let isOver = false
  let failure: { readonly error: unknown } | undefined
  let changed = Promise.withResolvers<void>()

  const tell = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  return {
    write(item) {
      if (failure) return Promise.reject(failure.error)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      offered = { item, taken: resolve, failed: reject }
      tell()
      return promise
    },
    end() {
      isOver = true
      tell()
    },
    fail(error) {
      failure ??= { error }
      offered?.failed(failure.error)
      offered = undefined
      tell()
    },
    async *read() {
      for (;;) {
        if (failure) throw failure.error
        const offer = offered
        offered = undefined
        if (offer) {
          offer.taken()
          yield offer.item
        } else if (isOver) return
        else await changed.promise
      }
    },
  }
}
