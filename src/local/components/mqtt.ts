/** What the MQTT binding and the MQTT pub/sub share: the address, the client ids, telling of trouble. */
import { createSecureContext } from "node:tls";

import { frameworkError, messageOf } from "../../core/errors";
import { maskUrl } from "../../core/url";
import type { ComponentEnvironment, ComponentSpec } from "./component";
import type { Metadata } from "./metadata";
import { MqttSession, type MqttSessionOptions } from "./mqtt-session";

export interface MqttConnection {
  /** Without the password. */
  address: string;
  /**
   * A client id from the declared one. A broker lets one client of an id in and pushes the other out, so ours hold the
   * app and the component: functions may share a component, and a laptop never takes a cluster's session.
   */
  clientId(consumerId: string): string;
  /** Opens a session that tells of trouble by itself. `clean` overrides the component's cleanSession. */
  open(clientId: string, options?: SessionOptions): MqttSession;
}

type SessionOptions = Partial<Pick<MqttSessionOptions, "onMessage" | "clean">>;

const schemes = ["mqtt:", "tcp:", "mqtts:", "tcps:", "tls:", "ssl:"];

/** Errors: FF_COMPONENT_METADATA for a url that is missing or cannot be used. */
export function readConnection(
  spec: ComponentSpec,
  metadata: Metadata,
  environment: ComponentEnvironment,
): MqttConnection {
  const declared = metadata.required("url");
  const wrong = (why: string) =>
    frameworkError(
      "FF_COMPONENT_METADATA",
      { component: spec.name, field: "url", why },
      { place: spec.place },
    );
  if (!URL.canParse(declared)) throw wrong(`is not a URL: "${maskUrl(declared)}"`);
  if (!schemes.includes(new URL(declared).protocol)) {
    throw wrong(
      `must begin with one of ${schemes.map((scheme) => `${scheme}//`).join(", ")}, not "${maskUrl(declared)}"`,
    );
  }
  const url = urlToUse(declared, environment.embeddedBroker);
  const address = maskUrl(url.href.replace(/\/$/, ""));
  const tls = {
    ca: metadata.text("caCert"),
    cert: metadata.text("clientCert"),
    key: metadata.text("clientKey"),
  };
  try {
    createSecureContext(tls);
  } catch (err) {
    const details = {
      component: spec.name,
      field: "caCert, clientCert or clientKey",
      why: `cannot be read: ${messageOf(err)}`,
    };
    throw frameworkError("FF_COMPONENT_METADATA", details, { place: spec.place });
  }
  const maxInFlight = metadata.whole("maxInFlight", 100, 1, 100);
  const cleanSession = metadata.flag("cleanSession", false);
  const tell = createTeller(spec.name, address, environment);

  return {
    address,
    clientId: (consumerId) => `${consumerId}-${environment.appId}-${spec.name}`,
    open: (clientId, options) =>
      new MqttSession({ ...tell(), url, clientId, tls, maxInFlight, clean: cleanSession, ...options }),
  };
}

// The embedded broker takes the place of the declared one; user and password are the CR's.
function urlToUse(declared: string, embedded: string | undefined): URL {
  const url = new URL(declared);
  if (embedded === undefined) return url;
  const replacement = new URL(embedded);
  replacement.username = url.username;
  replacement.password = url.password;
  return replacement;
}

/**
 * A component has several sessions, and each tries for ever: one line when trouble begins, one when all is well again.
 */
function createTeller(component: string, address: string, { onNotice }: ComponentEnvironment) {
  const troubles = new Set<object>();
  let told: string | undefined;

  return () => {
    const session = {};
    return {
      onTrouble({ refused, why }: { refused: boolean; why: string }) {
        const code = refused ? "FF_BROKER_REFUSED" : "FF_BROKER_UNREACHABLE";
        // After a refusal the broker closes the connection, which is no second trouble.
        const isNews = told !== code + why && (refused || !told?.startsWith("FF_BROKER_REFUSED"));
        troubles.add(session);
        if (!isNews) return;
        told = code + why;
        onNotice(frameworkError(code, { component, address, why }));
      },
      onConnected() {
        troubles.delete(session);
        if (told === undefined || troubles.size > 0) return;
        told = undefined;
        onNotice({ recovered: `Component "${component}" is connected to ${address}.` });
      },
    };
  };
}
