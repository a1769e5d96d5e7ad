import { createPinia } from "pinia";
import { createApp } from "vue";
import App from "./App.vue";
import { createLocales } from "./i18n";
import { firstLanguage, languageCookie } from "./i18n/language";
import { createPages } from "./router";
import { LOCALES } from "./i18n/inject";
import "./styles/tokens.css";
import "./styles/base.css";

const locales = createLocales(firstLanguage(location.search, document.cookie, navigator.languages));
document.documentElement.lang = locales.i18n.global.locale.value;
// The server reads the same cookie for what carries no header of ours: the live line, pictures, downloads.
document.cookie = languageCookie(locales.i18n.global.locale.value);

const router = createPages(locales);
createApp(App)
  .provide(LOCALES, locales)
  .use(createPinia())
  .use(locales.i18n)
  .use(router)
  .mount("#app");
