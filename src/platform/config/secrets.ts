/** What stands in the place of a secret where configurations are printed. */

export const hiddenSecret = "<secret>";

/** A text with the passwords of the addresses in it hidden: user:password@ behind ://, to the last "@", since people write
 *  passwords as they are. */
export function hideUrlPasswords(text: string): string {
  return text.replace(/(:\/\/[^/@,:?#]*:)[^/,?#]*@/g, `$1${hiddenSecret}@`);
}
