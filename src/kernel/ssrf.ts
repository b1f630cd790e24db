import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, isIP, isIPv6 } from 'node:net'

/**
 * Whether an address is nobody's business to be called at by a request of somebody else's making: this machine, its
 * network, the metadata service of its cloud, and whatever is not unicast on the public internet. By the special-purpose
 * registries of IANA (RFC 6890 and its successors). An IPv6 address that carries an IPv4 one is judged by that too.
 */
export function isPrivateAddress(address: string): boolean {
  if (!isIPv6(address)) return isIP(address) === 0 || refused4.check(address, 'ipv4')
  // A zone names an interface of this machine.
  if (address.includes('%')) return true
  return refused6.check(address, 'ipv6')
}

// Two lists: in one, an IPv4 address is also looked for as the IPv6 address that carries it, and all of those are refused.
const refused4 = new BlockList()
const refused6 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  refused4.addSubnet(network, bits, 'ipv4')
// Everything outside global unicast, 2000::/3, and what is carved out of it: translation and tunnels to IPv4 among them,
// which would lead past the list above.
for (const [network, bits] of [
  ['::', 3],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['4000::', 2],
  ['8000::', 1],
] as const)
  refused6.addSubnet(network, bits, 'ipv6')

/** The address was refused before a byte was sent to it. */
export class AddressRefused extends Error {
  override name = 'AddressRefused'

  constructor(hostname: string) {
    super(`${hostname} is, or leads to, an address that must not be called`)
  }
}

/** As `dns.lookup` with all addresses: the seam for tests of names that change their mind. */
export type Resolve = (
  hostname: string,
  answer: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void

const systemResolve: Resolve = (hostname, answer) => lookup(hostname, { all: true }, answer)

export type AddressGuard = {
  /** Whether a host is one of those that may be, or lead to, anything. */
  allows(hostname: string): boolean
  /** Whether the host of a URL, which may be an address, is refused without asking anybody. */
  refuses(hostname: string): boolean
  /**
   * For `net.connect`: gives only addresses that may be called, and those are the ones connected to. There is no second
   * look at the name between the check and the connection, in which it could be told otherwise.
   */
  lookup(hostname: string, options: { readonly all?: boolean }, done: LookupDone): void
}

type LookupDone = (error: Error | null, addresses: string | LookupAddress[], family?: number) => void

/** `allowedHosts` are hosts as they stand in a URL; they may be, or lead to, anything. */
export function createAddressGuard(allowedHosts: readonly string[], resolve: Resolve = systemResolve): AddressGuard {
  const allowed = new Set(allowedHosts.map(bare))
  return {
    allows: (hostname) => allowed.has(bare(hostname)),
    refuses(hostname) {
      const host = bare(hostname)
      return isIP(host) !== 0 && isPrivateAddress(host) && !allowed.has(host)
    },
    lookup(hostname, { all }, done) {
      resolve(hostname, (error, addresses) => {
        if (error) return done(error, [])
        // One that is refused refuses all: a name that leads to both is made to.
        const isRefused = !allowed.has(bare(hostname)) && addresses.some(({ address }) => isPrivateAddress(address))
        const [first] = addresses
        if (isRefused || !first) return done(new AddressRefused(bare(hostname)), [])
        if (all) done(null, [...addresses])
        else done(null, first.address, first.family)
      })
    },
  }
}

/** Without the brackets that a URL has around an IPv6 address, and without a trailing dot. */
function bare(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase()
}
