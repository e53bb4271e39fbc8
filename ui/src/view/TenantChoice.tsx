// The tenant whose logs are shown, for servers that have several: shown once the server asked for one, or when the address
// names one. A proxy that sets the tenant itself makes this unnecessary.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError } from "../api/request.ts";
import { address, go } from "../state/address.ts";
import { failure } from "../state/explore.ts";
import { names } from "../state/labels.ts";
import { rememberTenant, tenants } from "../state/queries.ts";

export function TenantChoice() {
  const { tenant } = address.value;
  const typed = useSignal(tenant);
  // Back, and links to another tenant.
  useEffect(() => void (typed.value = tenant), [tenant]);
  const asked = [names.value, failure.value?.error].some((each) =>
    each instanceof ApiError && each.status === 401
  );
  if (tenant === "" && !asked) return null;
  const choose = (event: Event) => {
    event.preventDefault();
    rememberTenant(typed.value.trim());
    go({ tenant: typed.value.trim(), entry: "" }, "push");
  };
  return (
    <form class="tenant" onSubmit={choose}>
      <input
        class="search"
        aria-label="Tenant"
        placeholder="Tenant"
        title="The tenant whose logs are shown; Enter"
        autocomplete="off"
        spellcheck={false}
        maxLength={150}
        value={typed.value}
        list="tenants"
        onInput={(event) => typed.value = event.currentTarget.value}
      />
      <datalist id="tenants">
        {tenants.value.map((name) => <option key={name} value={name} />)}
      </datalist>
    </form>
  );
}
