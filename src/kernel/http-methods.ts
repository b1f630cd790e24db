/** The methods of each route pattern, as in `/v1/payments/:id`. */
export type RouteTable = Map<string, string[]>

/** Methods served at an address that the router found nothing for; empty where no pattern fits it. */
export function methodsAt(routes: ReadonlyMap<string, readonly string[]>, url: string): string[] {
  const [path = ''] = url.split('?', 1)
  const methods = [...routes].filter(([pattern]) => fits(pattern, path)).flatMap(([, served]) => served)
  return [...new Set(methods)].sort()
}

function fits(pattern: string, path: string): boolean {
  const [expected, given] = [pattern.split('/'), path.split('/')]
  if (expected.at(-1) === '*') return expected.slice(0, -1).every((part, index) => fitsPart(part, given[index]))
  return expected.length === given.length && expected.every((part, index) => fitsPart(part, given[index]))
}

function fitsPart(expected: string, given: string | undefined): boolean {
  return expected.startsWith(':') ? given !== undefined && given !== '' : expected === given
}
