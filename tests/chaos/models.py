"""What the chaos jobs leave behind. Nothing is unique here: a double would be counted, not refused."""

from django.db import models


class Order(models.Model):
    """Something that a web request wrote together with its job."""

    number = models.IntegerField(unique=True)

    def __str__(self) -> str:
        return str(self.number)


class Effect(models.Model):
    """One effect of one part of a job."""

    number = models.IntegerField()
    part = models.IntegerField()
    attempt = models.IntegerField()
    pid = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.number}.{self.part}"
