/** Lets what has one name go one after the other in this process; what has another does not wait. */
export function createTurns() {
  const underWay = new Map<string, Promise<unknown>>()
  return async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    for (let other = underWay.get(name); other; other = underWay.get(name)) await other.catch(() => {})
    const own = work()
    underWay.set(name, own)
    try {
      return await own
    } finally {
      underWay.delete(name)
    }
  }
}
