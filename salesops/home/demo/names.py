"""Invented names of people and companies, made from parts. Pure: the same stream gives the same names."""

from __future__ import annotations

import random
import re
import unicodedata
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: First names from many places.
FIRST_NAMES: Final = _words(
    """
    Aaliyah Abeni Adaeze Agnieszka Aiko Alejandra Alioune Amara Amir Anahera Anders Anjali Antonella Aoife Arash
    Ariel Arjun Asel Astrid Ayşe Babajide Bao Beatriz Benedek Bilal Birgit Boaz Brigida Camila Caoimhe Catarina
    Chidi Chiara Chloé Cristóbal Daiki Dalia Damilola Danica Darius Deepa Delphine Dilnoza Dimitra Divya Dominik
    Ebba Eduarda Efua Eirik Elif Elio Emeka Emilia Enzo Esperanza Eszter Fadila Farid Fatoumata Feliks Fionnuala
    Florian Folake Gabriela Galina Georgios Ghada Giulia Goran Gülsen Habib Hamza Hana Haruto Heidi Hina Hoang
    Ibrahim Ilse Imani Inés Ingrid Isamu Ishaan Ivana Jadwiga Jakub Jamila Jiho Joaquín Jorunn Juhani Kaimana Kamala
    Karim Katarzyna Kavya Keiko Khadija Kiran Kofi Lakshmi Lars Leila Liam Linnea Lorenzo Lucía Ludovic Mahmoud
    Maite Malika Manuela Maren Mariam Mateus Mei Mehmet Mila Milan Minh Mireille Miyu Nadia Naledi Naveen Nia
    Nikolai Noor Oluwaseun Omar Oriol Osman Paloma Pavel Pilar Priya Quang Rachid Rafaela Rania Ravi Renata Rohan
    Rosalía Ruslan Saanvi Salma Samuel Sanna Santiago Sára Seo-yeon Shira Siobhán Sizwe Sofia Soren Svetlana Tamar
    Tariq Tatiana Tendai Thandiwe Thiago Tomasz Tova Tuan Uche Ulrika Umut Valentina Vikram Wanjiru Wei Xiomara Yael
    Yara Yasmin Yohannes Yuki Yusuf Zainab Zanele Zeynep Zoltán Zuri Þóra Łucja Øyvind
    """
)

#: Family names from many places.
LAST_NAMES: Final = _words(
    """
    Abebe Achterberg Adeyemi Aguirre Ahlström Akhtar Albescu Almqvist Amponsah Andrade Arslan Asante Ayala Bakshi
    Balogun Baptista Barzani Bekele Bergström Bhandari Bianco Boateng Borgersen Bouchard Brankovic Castellano Cheng
    Chinwe Chowdhury Cisneros Czerny Dahlberg Dang Delacroix Demirci Deshmukh Diallo Dragomir Dufresne Echeverri
    Egede Ekwueme Eriksdottir Espinal Farouk Fekete Ferreira Fiorentino Fofana Fujimori Galanis Garza Gebre Ghorbani
    Gjerde Granqvist Guerrero Guo Haddad Halvorsen Hamidi Hashemi Hayashida Heikkinen Hernádi Hirvonen Horvat Huang
    Ibarra Igwe Inoue Iwasaki Jankowski Jelinek Jovanović Kahananui Kamara Kapoor Karlsen Katsaros Kaya Khumalo
    Kimura Kiplagat Kovačič Kurtz Kwon Lacroix Lindqvist Lombardi Lungu Machado Maddox Mahlangu Makinen Marchetti
    Mazur Mbeki Menon Mikkelsen Moreau Mukherjee Mwangi Nakagawa Ndiaye Nguyễn Nielsen Novotná Nwosu Nyström Obando
    Ochieng Odhiambo Okonkwo Olsson Oyelaran Öztürk Palmqvist Pandit Paredes Park Pereyra Petrov Phan Popescu
    Quiroga Rahimi Ramaswamy Reinholt Restrepo Rinaldi Rosales Ruiz Rybak Saarinen Sadiq Salazar Sandoval Santoro
    Sarkisian Schaefer Sengupta Shimizu Silveira Sithole Sjöberg Solberg Soto Stavros Sutherland Szabo Takeda Tamm
    Tanaka Tesfaye Thapa Tkachenko Toledo Traoré Tshabalala Tuominen Uddin Urrutia Valdez Vandenberg Varga Vasquez
    Venkataraman Vidal Villanueva Vuković Wachira Wahlberg Weiss Wójcik Xu Yamane Yilmaz Zabala Zapata Zhou
    Zielinski Zubiri
    """
)

_STARTS: Final = _words(
    """
    Al Ar Bel Bor Bra Cal Cor Cre Dal Del Dor El Fal Fen Gar Gle Hal Hel Ir Jor Kal Ker Lan Lor Lu Mar Mel Mon Nor
    Ol Or Pel Per Quar Ral Ren Sal Sel Sol Sta Tal Ter Tor Ul Val Vel Ver Wes Yar Zel
    """
)
_MIDDLES: Final = _words(
    """
    a adi agri ando ari avo e ebri edo elli eni eri eto i idri igo ilu ino iri isto o obri odu olli ono ori u udo
    umi uri
    """
)
_ENDS: Final = _words(
    """
    bex cor dane dax dran fal fex gard gen kel lan lex lin mark mond nar nex nova phos quil rax ris sten tan tek
    thor tix vane vex zon
    """
)
_BUSINESSES: Final = _words(
    """
    Agronomy Analytics Biologics Brewing Castings Ceramics Chemicals Clinics Components Controls Dairies Diagnostics Dynamics
     Energy Engineering Fabrics Foods Foundry Freight Glassworks Grid Health Hydraulics Imaging Labs Logistics Marine
     Materials Metals Mills Mobility Networks Optics Packaging Paper Pharma Photonics Plastics Polymers Power Printing Rail
     Research Robotics Semiconductors Sensors Shipping Steel Systems Textiles Tooling Turbines Utilities Water
    """
)

_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_ODD_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "þ": "th", "ð": "d", "ß": "ss", "æ": "ae", "ı": "i", "đ": "d"})


def plain_letters(text: str) -> str:
    """The text as it may stand in an address: lower-case ASCII letters and digits, everything else a hyphen."""
    lowered = unicodedata.normalize("NFKD", text.lower().translate(_ODD_LETTERS))
    return _NOT_PLAIN.sub("-", lowered.encode("ascii", "ignore").decode()).strip("-")


_FIRST_PLAIN: Final = {name: plain_letters(name) for name in FIRST_NAMES}
_LAST_PLAIN: Final = {name: plain_letters(name) for name in LAST_NAMES}


def person(stream: random.Random) -> tuple[str, str]:
    """A name and the same name as the part of an e-mail address before the @."""
    draw = stream.random
    first = FIRST_NAMES[int(draw() * len(FIRST_NAMES))]
    last = LAST_NAMES[int(draw() * len(LAST_NAMES))]
    return f"{first} {last}", f"{_FIRST_PLAIN[first]}.{_LAST_PLAIN[last]}"


def business(stream: random.Random) -> tuple[str, str]:
    """The name of a company without its legal form, and the same name as a part of a web address."""
    draw = stream.random
    start = _STARTS[int(draw() * len(_STARTS))]
    middle = _MIDDLES[int(draw() * len(_MIDDLES))]
    end = _ENDS[int(draw() * len(_ENDS))]
    what = _BUSINESSES[int(draw() * len(_BUSINESSES))]
    return f"{start}{middle}{end} {what}", f"{start}{middle}{end}-{what}".lower()
