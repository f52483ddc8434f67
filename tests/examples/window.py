"""One window that shows the demo, in words of the page rather than of selenium."""

from tests.examples.polling import wait_until

ENTER = "\ue007"


class Window:
    """Every method first makes its window the one that the driver speaks to."""

    def __init__(self, driver, handle):
        self.driver = driver
        self.handle = handle

    def js(self, script, *arguments):
        self.driver.switch_to.window(self.handle)
        return self.driver.execute_script(script, *arguments)

    def element(self, name):
        self.driver.switch_to.window(self.handle)
        return self.driver.find_element("id", name)

    def text(self, name):
        return self.js("return document.getElementById(arguments[0]).textContent", name)

    def value(self, name):
        return self.js("return document.getElementById(arguments[0]).value", name)

    def is_hidden(self, name):
        return not self.element(name).is_displayed()

    def type(self, name, text):
        """Replace what is in a field and press Enter."""
        field = self.element(name)
        field.clear()
        field.send_keys(text, ENTER)

    def click(self, name):
        self.element(name).click()

    @property
    def state(self):
        return self.js("return document.body.dataset.state")

    def lines(self):
        """Return who said what, oldest first."""
        return self.js(
            "return [...document.querySelectorAll('#log .line')].map(line =>"
            " [line.querySelector('.name').textContent, line.querySelector('p').textContent])"
        )

    def notes(self):
        return self.js("return [...document.querySelectorAll('.note')].map(n => n.textContent)")

    def people(self):
        return self.js(
            "return [...document.querySelectorAll('#people .name')].map(n => n.textContent)"
        )

    def points(self):
        """Return how many points the latency graph has drawn."""
        path = self.js("return document.getElementById('graph-line').getAttribute('d')")
        return path.count("L") + path.count("M")

    def wait_joined(self):
        wait_until(lambda: self.state == "open" and self.people(), "the window is in the chat")

    def wait_line(self, name, text):
        wait_until(lambda: [name, text] in self.lines(), f"{name} is seen to say {text!r}")

    def wait_people(self, *names):
        wait_until(lambda: self.people() == list(names), f"{names} are here")

    def rename(self, name):
        self.type("name", name)
        wait_until(lambda: f"You are now {name}" in self.notes(), f"the window is called {name}")

    def say(self, text):
        self.type("say", text)

    def emulate(self, command, **parameters):
        """Send a command of the browser's own protocol, such as a phone's screen."""
        self.driver.switch_to.window(self.handle)
        self.driver.execute_cdp_cmd(f"Emulation.{command}", parameters)

    def close(self):
        self.driver.switch_to.window(self.handle)
        self.driver.close()
