/** Who is who in a cluster on Kubernetes: an authority, and a certificate for the NATS servers, for their routes and for each
 *  role, each in a Secret of its own in the form of cert-manager (ca.crt, tls.crt, tls.key). Owns which Secrets there are and
 *  when one is made anew; certificates.ts owns the encoding, and where Secrets are kept is the caller's. */
import { createAuthority, createSelfTrusting, issueCertificate } from "./certificates.ts";
import type { CertificateOptions, KeyPair } from "./certificates.ts";

/** The texts of a Secret. */
export type SecretTexts = Readonly<Record<string, string>>;

/** Where Secrets are kept. */
export interface SecretStore {
  /** Undefined if there is none of that name. */
  readonly get: (name: string) => Promise<StoredSecret | undefined>;
  /** False if there is one of that name already. */
  readonly create: (name: string, texts: SecretTexts) => Promise<boolean>;
  readonly replace: (name: string, texts: SecretTexts) => Promise<void>;
}

export interface StoredSecret {
  readonly texts: SecretTexts;
  /** Whether this program made it; what users bring is theirs. */
  readonly isOurs: boolean;
}

export interface CredentialOptions {
  /** Names and addresses of the NATS servers. */
  readonly hosts: ReadonlyArray<string>;
  readonly roles: ReadonlyArray<string>;
  readonly now: Date;
}

export const authoritySecret = "nats-ca";
export const serverSecret = "nats-server";
export const routeSecret = "nats-route";

/** The Secret of a role; the certificate's subject, `CN=<role>`, is its user in NATS. */
export function clientSecret(role: string): string {
  return `nats-client-${role}`;
}

/** Makes what is missing, and anew what another authority than today's has signed: so deleting the authority's Secret changes
 *  everything, deleting one changes that one. Answers what was made. A second run at the same time does no harm. */
export async function ensureCredentials(
  store: SecretStore,
  options: CredentialOptions,
): Promise<ReadonlyArray<string>> {
  const validity = validFrom(options.now);
  const made: string[] = [];
  await ensureRoute(store, { ...validity, commonName: "nats route", hosts: options.hosts }, made);
  const leaves = [
    { secret: serverSecret, commonName: "nats", hosts: options.hosts },
    ...options.roles.map((role) => ({ secret: clientSecret(role), commonName: role, hosts: [] })),
  ];
  const found = await Promise.all(leaves.map(({ secret }) => store.get(secret)));
  // With certificates of somebody else's, say cert-manager's, there is no authority to have.
  if (found.every((secret) => secret !== undefined && !secret.isOurs)) return made;
  const authority = await authorityOf(store, () => createAuthority(validity), made);
  for (const [index, { secret, commonName, hosts }] of leaves.entries()) {
    const stored = found[index];
    if (stored !== undefined && !stored.isOurs) continue;
    if (stored?.texts["ca.crt"] === authority.certificate) continue;
    const pair = await issueCertificate(authority, { ...validity, commonName, hosts });
    const texts = textsOf(pair, authority.certificate);
    if (stored !== undefined) await store.replace(secret, texts);
    else if (!await store.create(secret, texts)) continue;
    made.push(secret);
  }
  return made;
}

async function ensureRoute(store: SecretStore, options: CertificateOptions, made: string[]) {
  if (await store.get(routeSecret) !== undefined) return;
  const route = await createSelfTrusting(options);
  if (await store.create(routeSecret, textsOf(route, route.certificate))) made.push(routeSecret);
}

/** Ten years: what runs out by itself runs out at night. From yesterday, for clocks that are behind. */
function validFrom(now: Date): { readonly notBefore: Date; readonly notAfter: Date } {
  const [notBefore, notAfter] = [new Date(now), new Date(now)];
  notBefore.setUTCDate(now.getUTCDate() - 1);
  notAfter.setUTCFullYear(now.getUTCFullYear() + 10);
  return { notBefore, notAfter };
}

async function authorityOf(
  store: SecretStore,
  create: () => Promise<KeyPair>,
  made: string[],
): Promise<KeyPair> {
  for (;;) {
    const stored = await store.get(authoritySecret);
    if (stored !== undefined) {
      const { "tls.crt": certificate, "tls.key": key } = stored.texts;
      if (certificate === undefined || key === undefined) {
        throw new Error(`the Secret ${authoritySecret} has no tls.crt or no tls.key`);
      }
      return { certificate, key };
    }
    const authority = await create();
    if (await store.create(authoritySecret, textsOf(authority, authority.certificate))) {
      made.push(authoritySecret);
      return authority;
    }
    // Somebody else was faster: theirs counts.
  }
}

function textsOf({ certificate, key }: KeyPair, authority: string): SecretTexts {
  return { "ca.crt": authority, "tls.crt": certificate, "tls.key": key };
}
